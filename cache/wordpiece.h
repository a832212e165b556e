#ifndef PURSER_CACHE_WORDPIECE_H_
#define PURSER_CACHE_WORDPIECE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace purser::cache {

// Cuts text into the pieces of a WordPiece vocabulary, as BERT's uncased and cased tokenizers do: clean,
// lower case and strip accents if the file says so, split at spaces, punctuation and Han characters, then
// take the longest known piece from the left (Wu et al. 2016). Accents are known for Latin letters up to
// U+017F, lower case for Latin, Greek and Cyrillic.
//
// Immutable, thread-safe.
class WordPiece {
 public:
  // `json`: a tokenizer.json whose model is of type WordPiece. INVALID_ARGUMENT says what is missing.
  static absl::StatusOr<WordPiece> FromTokenizerJson(std::string_view json);

  // Replaces `*pieces` by the numbers of the pieces; words that cannot be cut are left out. Allocates only on
  // a thread's first calls.
  void Cut(std::string_view text, std::vector<uint32_t>* pieces) const;

  // One more than the largest number of a piece.
  uint32_t size() const { return size_; }

 private:
  WordPiece() = default;
  void CutWord(std::string_view word, std::vector<uint32_t>* pieces) const;

  absl::flat_hash_map<std::string, uint32_t> beginning_;
  absl::flat_hash_map<std::string, uint32_t> continuing_;  // Without the "##".
  uint32_t size_ = 0;
  size_t longest_piece_ = 0;
  size_t longest_word_ = 100;
  bool lower_case_ = true;
  bool strip_accents_ = true;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_WORDPIECE_H_
