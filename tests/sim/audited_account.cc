#include "tests/sim/audited_account.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace purser::budget {
namespace {

bool IsCalendar(const WindowSpec& window) {
  return window.kind == WindowKind::kDay || window.kind == WindowKind::kWeek ||
         window.kind == WindowKind::kMonth;
}

}  // namespace

Amounts Sum(const Amounts& a, const Amounts& b, int sign) {
  Amounts sum;
  for (int i = 0; i < kDimensions; ++i) sum.of[i] = a.of[i] + sign * b.of[i];
  return sum;
}
Amounts AtLeastZero(Amounts a) {
  for (int64_t& amount : a.of) amount = std::max<int64_t>(0, amount);
  return a;
}
Amounts Rest(const Amounts& amounts, const Amounts& booked) { return AtLeastZero(Sum(amounts, booked, -1)); }
Amounts Max(const Amounts& a, const Amounts& b) { return Sum(b, AtLeastZero(Sum(a, b, -1))); }

std::string Text(const Amounts& a) {
  return absl::StrCat("{", a.of[0], ",", a.of[1], ",", a.of[2], ",", a.of[3], ",", a.of[4], "}");
}

void AuditedAccount::Advance(const Budget& budget, int64_t now) {
  time = std::max(time, now);
  const bool moved_on = now >= span.end;
  if (moved_on) {
    span = SpanAround(budget.window, time);
    std::erase_if(entries, [&](const Entry& entry) { return !Counts(budget.window, entry.time); });
  }
  if (moved_on && IsCalendar(budget.window)) {
    std::erase_if(top_ups, [](const auto& top_up) { return top_up.first == 0; });
    excused = false;
  }
  if (budget.window.kind == WindowKind::kRefill &&
      now >= filled_to + std::max<int64_t>(1, budget.window.length_nanos / 1024)) {
    for (int i = 0; i < budget.limited_count; ++i) {
      const Dimension d = budget.limited[i];
      level[d] = std::max<int64_t>(0, level[d] - Refilled(budget.window, budget.limits[d], filled_to, now));
    }
    filled_to = now;
  }
}

int64_t AuditedAccount::CountsSince(const WindowSpec& window) const {
  if (IsCalendar(window)) return span.begin;
  if (window.kind != WindowKind::kRolling) return std::numeric_limits<int64_t>::min();
  const int64_t slice = window.length_nanos / kRollingSlices;
  return (time / slice - kRollingSlices) * slice;
}

Amounts AuditedAccount::SumOf(const WindowSpec& window, bool presumed) const {
  Amounts sum;
  const int64_t since = CountsSince(window);
  for (const Entry& entry : entries) {
    if ((entry.presumed_of != 0) == presumed && entry.time >= since) sum = Sum(sum, entry.amounts);
  }
  return sum;
}

Amounts AuditedAccount::Settled(const WindowSpec& window) const {
  return window.kind == WindowKind::kRefill ? level : SumOf(window, /*presumed=*/false);
}

Amounts AuditedAccount::Presumed(const WindowSpec& window) const { return SumOf(window, /*presumed=*/true); }

Amounts AuditedAccount::Limits(const Amounts& limits, int64_t now) const {
  Amounts sum = limits;
  for (int i = 0; i < kDimensions; ++i) {
    if (limits.of[i] == kUnlimited) continue;
    for (const auto& [until, amounts] : top_ups) {
      if (until == 0 || until > now) sum.of[i] += amounts.of[i];
    }
  }
  return sum;
}

void AuditedAccount::DropExpiredTopUps(int64_t now) {
  std::erase_if(top_ups, [&](const auto& top_up) { return top_up.first != 0 && top_up.first <= now; });
}

void AuditedAccount::Book(const WindowSpec& window, const Amounts& difference) {
  if (window.kind == WindowKind::kRefill) {
    level = AtLeastZero(Sum(level, difference));
  } else {
    BookAt(window, time, difference);
  }
}

void AuditedAccount::BookAt(const WindowSpec& window, int64_t then, const Amounts& difference) {
  entries.push_back({then, AtLeastZero(difference)});
  for (int i = 0; i < kDimensions; ++i) {
    int64_t back = std::max<int64_t>(0, -difference.of[i]);
    for (auto entry = entries.rbegin(); entry != entries.rend() && back > 0; ++entry) {
      if (entry->presumed_of != 0 || !Counts(window, entry->time)) continue;
      const int64_t taken = std::min(back, entry->amounts.of[i]);
      entry->amounts.of[i] -= taken;
      back -= taken;
    }
  }
}

}  // namespace purser::budget
