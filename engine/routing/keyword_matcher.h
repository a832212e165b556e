#ifndef PURSER_ENGINE_ROUTING_KEYWORD_MATCHER_H_
#define PURSER_ENGINE_ROUTING_KEYWORD_MATCHER_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace purser::routing {

// Finds which of many words and phrases occur in a text, in one pass whatever their number: the automaton of
// Aho and Corasick ("Efficient string matching", CACM 1975) over classes of bytes.
//
// ASCII letters match in any case; a space matches any one white-space byte. A keyword that begins or ends
// with an ASCII letter or digit matches only where a word begins or ends: "art" is not in "start". At other
// edges there is no such check, so that scripts without spaces can be searched.
//
// Set up with Add and one Compile; thread-safe after that. Matching does not allocate.
class KeywordMatcher {
 public:
  // The keyword's number, from 0 in the order of adding. INVALID_ARGUMENT: it is empty.
  absl::StatusOr<int> Add(std::string_view keyword);
  // The same, without regard to where words begin and end.
  absl::StatusOr<int> AddAnywhere(std::string_view text);
  void Compile();
  bool empty() const { return keywords_.empty(); }

  // Calls visit(number) for each occurrence: perhaps several times for one keyword.
  template <typename Visit>
  void Match(std::string_view text, Visit visit) const {
    uint32_t state = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      state = next_[(state & kStateMask) + class_of_[static_cast<uint8_t>(text[i])]];
      if (state & kHasOutput) Report(state, text, i + 1, visit);
    }
  }

  // Where keyword `number` first occurs. False: nowhere.
  bool Find(int number, std::string_view text, std::string_view* where) const;

 private:
  // A state is its row's offset in next_; the top bit says that a keyword ends there.
  static constexpr uint32_t kHasOutput = 1u << 31;
  static constexpr uint32_t kStateMask = kHasOutput - 1;

  template <typename Visit>
  void Report(uint32_t state, std::string_view text, size_t end, Visit visit) const {
    for (int row = static_cast<int>((state & kStateMask) / classes_); row > 0; row = output_link_[row]) {
      for (int number = first_output_[row]; number >= 0; number = same_text_[number]) {
        if (IsWhole(number, text, end)) visit(number);
      }
    }
  }
  bool IsWhole(int number, std::string_view text, size_t end) const;

  std::vector<std::string> keywords_;
  std::vector<bool> anywhere_;  // By keyword.
  uint32_t classes_ = 1;
  std::array<uint16_t, 256> class_of_ = {};
  std::vector<uint32_t> next_;     // Row of a state, column of a byte's class.
  std::vector<int> first_output_;  // By row: a keyword that ends there; -1.
  std::vector<int> output_link_;   // By row: the longest proper suffix at which a keyword ends; 0: none.
  std::vector<int> same_text_;     // By keyword: another one of the same text; -1.
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_KEYWORD_MATCHER_H_
