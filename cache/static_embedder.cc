#include "cache/static_embedder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/file.h"
#include "cache/hash.h"
#include "nlohmann/json.hpp"

namespace purser::cache {
namespace {

using Json = nlohmann::json;

absl::Status InvalidModel(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("model.safetensors: ", absl::string_view(what.data(), what.size())));
}

float FromHalf(uint16_t half) {
  const uint32_t sign = (half & 0x8000U) << 16;
  const uint32_t exponent = half >> 10 & 0x1FU;
  const uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) return std::ldexp(static_cast<float>(mantissa), -24) * (sign != 0 ? -1.0F : 1.0F);
  const uint32_t bits =
      exponent == 31 ? 0x7F800000U | mantissa << 13 : (exponent + 112) << 23 | mantissa << 13;
  return std::bit_cast<float>(sign | bits);
}

struct Tensor {
  std::vector<uint64_t> shape;
  std::vector<float> values;
};

// The file: a u64 with the header's size, the header (JSON: name -> dtype, shape, data_offsets), the data.
class Safetensors {
 public:
  static absl::StatusOr<Safetensors> Open(std::string_view bytes) {
    uint64_t header_size = 0;
    if (bytes.size() < sizeof(header_size)) return InvalidModel("too short");
    std::memcpy(&header_size, bytes.data(), sizeof(header_size));
    if (header_size > bytes.size() - sizeof(header_size)) return InvalidModel("its header is cut off");
    Safetensors file;
    file.header_ = Json::parse(bytes.substr(sizeof(header_size), header_size), nullptr, false);
    if (!file.header_.is_object()) return InvalidModel("its header is not a JSON object");
    file.data_ = bytes.substr(sizeof(header_size) + header_size);
    return file;
  }

  bool Has(const char* name) const { return header_.contains(name); }

  absl::StatusOr<Tensor> Read(const char* name) const {
    const Json& about = header_[name];
    const auto is_numbers = [&](const char* field) {
      return about.contains(field) && about[field].is_array() &&
             std::all_of(about[field].begin(), about[field].end(),
                         [](const Json& n) { return n.is_number_unsigned(); });
    };
    if (!about.is_object() || !about.contains("dtype") || !is_numbers("shape") ||
        !is_numbers("data_offsets") || about["data_offsets"].size() != 2) {
      return InvalidModel(absl::StrCat("tensor \"", name, "\" is not described as expected"));
    }
    const bool single = about["dtype"] == "F32";
    if (!single && about["dtype"] != "F16") {
      return InvalidModel(absl::StrCat("tensor \"", name, "\" is not of type F32 or F16"));
    }
    Tensor tensor;
    tensor.shape = about["shape"].get<std::vector<uint64_t>>();
    const auto begin = about["data_offsets"][0].get<uint64_t>();
    const auto end = about["data_offsets"][1].get<uint64_t>();
    if (begin > end || end > data_.size())
      return InvalidModel(absl::StrCat("tensor \"", name, "\" lies outside the file"));
    const size_t width = single ? sizeof(float) : sizeof(uint16_t);
    uint64_t count = (end - begin) / width;
    for (const uint64_t side : tensor.shape) {
      if (side == 0 || count % side != 0)
        return InvalidModel(absl::StrCat("tensor \"", name, "\" does not fill its shape"));
      count /= side;
    }
    if (count != 1 || (end - begin) % width != 0) {
      return InvalidModel(absl::StrCat("tensor \"", name, "\" does not fill its shape"));
    }
    tensor.values.resize((end - begin) / width);
    for (size_t i = 0; i < tensor.values.size(); ++i) {
      if (single) {
        std::memcpy(&tensor.values[i], data_.data() + begin + i * width, width);
      } else {
        uint16_t half;
        std::memcpy(&half, data_.data() + begin + i * width, width);
        tensor.values[i] = FromHalf(half);
      }
      if (!std::isfinite(tensor.values[i]))
        return InvalidModel(absl::StrCat("tensor \"", name, "\" holds a NaN or infinity"));
    }
    return tensor;
  }

 private:
  Json header_;
  std::string_view data_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<StaticEmbedder>> StaticEmbedder::Load(const std::string& directory) {
  std::string safetensors;
  std::string tokenizer;
  if (absl::Status status = ReadFile(directory + "/model.safetensors", &safetensors); !status.ok())
    return status;
  if (absl::Status status = ReadFile(directory + "/tokenizer.json", &tokenizer); !status.ok()) return status;
  // Named by its content: vectors of another table are not compared with this one's.
  const Hash128 hash = HashBytes(safetensors);
  return FromBytes(safetensors, tokenizer,
                   absl::StrCat("static-", absl::Hex(hash.low ^ HashBytes(tokenizer).low)));
}

absl::StatusOr<std::unique_ptr<StaticEmbedder>> StaticEmbedder::FromBytes(std::string_view safetensors,
                                                                          std::string_view tokenizer_json,
                                                                          std::string_view id) {
  absl::StatusOr<WordPiece> tokenizer = WordPiece::FromTokenizerJson(tokenizer_json);
  if (!tokenizer.ok()) return tokenizer.status();
  const absl::StatusOr<Safetensors> file = Safetensors::Open(safetensors);
  if (!file.ok()) return file.status();
  const char* name = file->Has("embeddings") ? "embeddings" : "embedding.weight";
  if (!file->Has(name)) return InvalidModel("has no tensor \"embeddings\"");
  absl::StatusOr<Tensor> table = file->Read(name);
  if (!table.ok()) return table.status();
  if (table->shape.size() != 2 || table->shape[1] > 65536)
    return InvalidModel("\"embeddings\" is not a table");
  if (table->shape[0] < tokenizer->size())
    return InvalidModel("has fewer rows than tokenizer.json has pieces");
  std::unique_ptr<StaticEmbedder> embedder(new StaticEmbedder(*std::move(tokenizer), std::string(id)));
  embedder->dimension_ = table->shape[1];
  embedder->table_ = std::move(table->values);
  if (file->Has("weights")) {
    const absl::StatusOr<Tensor> weights = file->Read("weights");
    if (!weights.ok()) return weights.status();
    if (weights->values.size() != table->shape[0])
      return InvalidModel("\"weights\" has another length than \"embeddings\"");
    for (size_t i = 0; i < embedder->table_.size(); ++i) {
      embedder->table_[i] *= weights->values[i / embedder->dimension_];
    }
  }
  return embedder;
}

bool StaticEmbedder::Embed(std::string_view text, std::span<float> out) const {
  thread_local std::vector<uint32_t> pieces;
  tokenizer_.Cut(text, &pieces);
  if (pieces.empty()) return false;
  // Rows lie anywhere in the table: all of them are on their way before the first is added.
  for (const uint32_t piece : pieces) {
    const auto* row = reinterpret_cast<const char*>(table_.data() + piece * dimension_);
    for (size_t at = 0; at < dimension_ * sizeof(float); at += 64) __builtin_prefetch(row + at);
  }
  std::fill(out.begin(), out.end(), 0.0F);
  float* const sum = out.data();
  for (const uint32_t piece : pieces) {
    const float* row = table_.data() + piece * dimension_;
    for (size_t i = 0; i < dimension_; ++i) sum[i] += row[i];
  }
  const float share = 1.0F / static_cast<float>(pieces.size());
  for (float& x : out) x *= share;
  return true;
}

}  // namespace purser::cache
