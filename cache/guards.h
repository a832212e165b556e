#ifndef PURSER_CACHE_GUARDS_H_
#define PURSER_CACHE_GUARDS_H_

#include <purser/cache/cache.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace purser::cache {

// What embeddings blur and answers hang on, read off one text: "transfer 20 dollars" and "transfer 30
// dollars" are near each other in any embedding. Extraction is by spelling and by word lists (English, and
// the commonest words of some other European languages); it sees no more than that.
//
// Reused from text to text, so that no memory is needed after the first ones. Not thread-safe.
class Facts {
 public:
  void Read(std::string_view text);

 private:
  friend Veto Conflict(const Facts& a, const Facts& b);

  struct Token {
    std::string_view raw;  // Of the text as it was.
    uint64_t lower;        // Hash of the lower-case form.
    bool starts_sentence;
    bool capitalised;
  };
  struct Reader;
  static bool Denies(const Facts& a, const Facts& b);
  static bool SwapsTwoWords(const Facts& a, const Facts& b);

  std::string lower_;  // The text in lower case.
  std::vector<Token> tokens_;
  // Hashes, sorted unless said otherwise.
  std::vector<uint64_t> words_;
  // Of words that begin with "un", "dis" or "non": themselves, and the rest. Not sorted.
  std::vector<std::pair<uint64_t, uint64_t>> denials_;
  std::vector<uint64_t> numbers_;  // With the unit that goes with each.
  std::vector<uint64_t> dates_;
  std::vector<uint64_t> units_;   // Units and currencies without a number, in their order.
  std::vector<uint64_t> names_;   // In their order.
  std::vector<uint64_t> quotes_;  // In their order.
  std::vector<uint64_t> code_;
  std::vector<uint64_t> languages_;            // Named ones, human and of programming, in their order.
  std::array<uint64_t, 4> opposites_[2] = {};  // Bit sets: pairs of which the one and the other side occurs.
  bool negated_ = false;
  int script_ = 0;    // 0: none.
  int language_ = 0;  // 0: cannot tell.
};

// Why an answer to the one text should not answer the other; kNone if nothing stands against it.
Veto Conflict(const Facts& a, const Facts& b);

}  // namespace purser::cache

#endif  // PURSER_CACHE_GUARDS_H_
