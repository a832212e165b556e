#ifndef PURSER_ENGINE_ROUTING_PATTERN_MATCHER_H_
#define PURSER_ENGINE_ROUTING_PATTERN_MATCHER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/routing/keyword_matcher.h"
#include "re2/re2.h"
#include "re2/set.h"

namespace purser::routing {

// Many regexes and keywords looked for in a text: which of them occur.
//
// One pass finds the keywords, and the literal texts without which a regex cannot match ("clause" of
// "\bclause [0-9]+"). Mostly that settles it: no regex, or one or two, are left, and those are matched one by
// one. If more are left, they are matched together in one pass of an RE2::Set; that pass alone allocates.
//
// Set up with Add..., then Compile; thread-safe after that.
class PatternMatcher {
 public:
  // Reused from match to match; one per thread.
  struct Scratch {
    std::vector<uint64_t> possible;  // By regex, a bit each.
    std::vector<int> matches;
  };

  // Each returns the pattern's number, from 0 in the order of adding. INVALID_ARGUMENT with RE2's reason.
  absl::StatusOr<int> AddRegex(std::string_view regex, bool case_sensitive);
  absl::StatusOr<int> AddKeyword(std::string_view keyword);
  // RESOURCE_EXHAUSTED if the regexes together are too large.
  absl::Status Compile();

  bool empty() const { return patterns_.empty(); }
  int size() const { return static_cast<int>(patterns_.size()); }

  // Sets the bits of the patterns that occur in `text`; never clears one. `seen` has (size() + 63) / 64
  // words. If the regexes' shared automaton outgrows its memory on this text, they are matched one by one:
  // the same answer, slower.
  void Match(std::string_view text, uint64_t* seen, Scratch* scratch) const;

  // Where pattern `number` first occurs. False: nowhere.
  bool Find(int number, std::string_view text, std::string_view* where) const;

  // For tests: kOneByOne is what happens when the shared automaton runs out of memory; kTogether skips the
  // literals.
  enum class Way { kUsual, kOneByOne, kTogether };
  void ForceForTest(Way way) { way_ = way; }

 private:
  struct Pattern {
    std::unique_ptr<RE2> regex;  // Null: a keyword.
    int keyword = -1;
  };
  void AddLiterals(std::string_view regex, bool case_sensitive, int number);
  void MatchTogether(std::string_view text, uint64_t* seen, Scratch* scratch) const;

  std::vector<Pattern> patterns_;
  std::vector<int> regexes_;        // Number in the set -> pattern.
  std::vector<uint64_t> always_;    // By regex: needs no literal, so that it is always possible.
  std::vector<int> keyword_owner_;  // By keyword: its pattern; of a literal: ~ (number in the set).
  std::unique_ptr<RE2::Set> set_;
  KeywordMatcher keywords_;
  Way way_ = Way::kUsual;
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_PATTERN_MATCHER_H_
