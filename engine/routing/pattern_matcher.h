#ifndef PURSER_ENGINE_ROUTING_PATTERN_MATCHER_H_
#define PURSER_ENGINE_ROUTING_PATTERN_MATCHER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engine/routing/keyword_matcher.h"
#include "re2/re2.h"
#include "re2/set.h"

namespace purser::routing {

// Many regexes and keywords looked for in one pass each over a text: which of them occur.
//
// Set up with Add..., then Compile; thread-safe after that.
class PatternMatcher {
 public:
  // Each returns the pattern's number, from 0 in the order of adding. INVALID_ARGUMENT with RE2's reason.
  absl::StatusOr<int> AddRegex(std::string_view regex, bool case_sensitive);
  absl::StatusOr<int> AddKeyword(std::string_view keyword);
  // RESOURCE_EXHAUSTED if the regexes together are too large.
  absl::Status Compile();

  bool empty() const { return patterns_.empty(); }
  int size() const { return static_cast<int>(patterns_.size()); }

  // Sets the bits of the patterns that occur in `text`; never clears one. `seen` has (size() + 63) / 64
  // words; `scratch` is reused. If the regexes' shared automaton outgrows its memory on this text, they are
  // matched one by one: the same answer, slower.
  void Match(std::string_view text, uint64_t* seen, std::vector<int>* scratch) const;

  // Where pattern `number` first occurs. False: nowhere.
  bool Find(int number, std::string_view text, std::string_view* where) const;

  // For tests of the fallback: as if every pass over the set ran out of memory.
  void MatchOneByOneForTest() { one_by_one_ = true; }

 private:
  struct Pattern {
    std::unique_ptr<RE2> regex;  // Null: a keyword.
    int keyword = -1;
  };
  std::vector<Pattern> patterns_;
  std::vector<int> regexes_;  // Number in the set -> pattern.
  std::vector<int> keyword_patterns_;
  std::unique_ptr<RE2::Set> set_;
  KeywordMatcher keywords_;
  bool one_by_one_ = false;
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_PATTERN_MATCHER_H_
