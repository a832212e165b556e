#ifndef PURSER_TESTS_SIM_AUDITED_ACCOUNT_H_
#define PURSER_TESTS_SIM_AUDITED_ACCOUNT_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/budget/accounts.h"

namespace purser::budget {

// Arithmetic of amounts, dimension by dimension.
Amounts Sum(const Amounts& a, const Amounts& b, int sign = 1);
Amounts AtLeastZero(Amounts a);
// What is left of amounts that were held when so much of them is booked.
Amounts Rest(const Amounts& amounts, const Amounts& booked);
Amounts Max(const Amounts& a, const Amounts& b);
std::string Text(const Amounts& a);

// What the auditor knows of one account: every entry with its time, so that a window is a question and no
// counter. Which budget it belongs to is told with each question: plans change.
struct AuditedAccount {
  struct Entry {
    int64_t time;
    Amounts amounts;
    Ticket presumed_of = 0;  // 0: settled.
  };

  explicit AuditedAccount(int64_t now) : time(now), span{now, now}, filled_to(now) {}

  // Time passes: entries leave the window, a bucket refills, a calendar's period ends with its top-ups.
  void Advance(const Budget& budget, int64_t now);
  // Whether what was booked then counts now.
  bool Counts(const WindowSpec& window, int64_t then) const { return then >= CountsSince(window); }
  Amounts Settled(const WindowSpec& window) const;
  Amounts Presumed(const WindowSpec& window) const;
  // With the top-ups of now.
  Amounts Limits(const Amounts& limits, int64_t now) const;
  void DropExpiredTopUps(int64_t now);
  void Book(const WindowSpec& window, const Amounts& difference);
  // Books at a time that may have passed. What is given back comes off the newest entries.
  void BookAt(const WindowSpec& window, int64_t then, const Amounts& difference);

  int64_t time;  // The latest it has seen.
  Span span;     // Around that time.
  std::vector<Entry> entries;
  Amounts level;  // Of a refilling bucket.
  int64_t filled_to;
  std::vector<std::pair<int64_t, Amounts>> top_ups;  // Runs out at; 0: with the period.
  bool ended = false;
  bool excused = false;  // Past its limit for a reason that the promise names.

 private:
  int64_t CountsSince(const WindowSpec& window) const;
  // Of the entries that count: those that are presumed, or those that are settled.
  Amounts SumOf(const WindowSpec& window, bool presumed) const;
};

}  // namespace purser::budget

#endif  // PURSER_TESTS_SIM_AUDITED_ACCOUNT_H_
