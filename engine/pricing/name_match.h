#ifndef PURSER_ENGINE_PRICING_NAME_MATCH_H_
#define PURSER_ENGINE_PRICING_NAME_MATCH_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policies/diagnostics.h"
#include "purser/pricing.pb.h"

namespace purser::pricing {

// A compiled purser.prices.Match. Thread-safe.
class NameMatch {
 public:
  NameMatch();
  ~NameMatch();
  NameMatch(NameMatch&&) noexcept;
  NameMatch& operator=(NameMatch&&) noexcept;

  // A regex that does not compile is an error at `path`, and never matches.
  static NameMatch Compile(const prices::Match& match, const std::string& path, Diagnostics* diagnostics);

  // `name` in lower case. With `equals` false, the exact names are left out: the caller has an index of them.
  bool Matches(std::string_view name, bool equals = true) const;

  // The exact names at the top, in lower case, and whether there is anything else.
  const std::vector<std::string>& equals() const { return equals_; }
  bool only_equals() const { return only_equals_; }

 private:
  std::vector<std::string> equals_, starts_with_, ends_with_, contains_;
  struct Regex;
  std::vector<std::unique_ptr<Regex>> regexes_;
  std::vector<NameMatch> all_, any_;
  bool only_equals_ = true;
};

// ASCII, as the tables' names are; other bytes stay.
std::string LowerCase(std::string_view text);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_NAME_MATCH_H_
