#ifndef PURSER_CACHE_STATIC_EMBEDDER_H_
#define PURSER_CACHE_STATIC_EMBEDDER_H_

#include <purser/cache/embedder.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/wordpiece.h"

namespace purser::cache {

// Embeds text by a table with one vector per word piece, as model2vec and other static models do: the mean of
// the vectors of the text's pieces. No runtime, no network; a query takes some microseconds.
class StaticEmbedder final : public Embedder {
 public:
  // Reads `directory`/model.safetensors and `directory`/tokenizer.json. NOT_FOUND or INVALID_ARGUMENT says
  // which file and what about it.
  static absl::StatusOr<std::unique_ptr<StaticEmbedder>> Load(const std::string& directory);

  // The same from the files' content. `safetensors` has a tensor "embeddings" (or "embedding.weight") of
  // shape [pieces, dimension] and type F32 or F16, and may have "weights" of shape [pieces]. `id` names the
  // model.
  static absl::StatusOr<std::unique_ptr<StaticEmbedder>> FromBytes(std::string_view safetensors,
                                                                   std::string_view tokenizer_json,
                                                                   std::string_view id);

  std::string_view id() const override { return id_; }
  int dimension() const override { return static_cast<int>(dimension_); }
  // False for a text without a known piece.
  bool Embed(std::string_view text, std::span<float> out) const override;

 private:
  StaticEmbedder(WordPiece tokenizer, std::string id)
      : tokenizer_(std::move(tokenizer)), id_(std::move(id)) {}

  WordPiece tokenizer_;
  std::string id_;
  size_t dimension_ = 0;
  std::vector<float> table_;  // Row by row, weights multiplied in.
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_STATIC_EMBEDDER_H_
