#include "cache/static_embedder.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace purser::cache {
namespace {

constexpr char kTokenizer[] = R"({
  "normalizer": {"type": "BertNormalizer", "lowercase": true, "strip_accents": null},
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 12,
            "vocab": {"[UNK]": 0, "card": 1, "##s": 2, "caf": 3, "##e": 4, "!": 5, "un": 6, "##lock": 7,
                      "unlock": 8, "\u4e2d": 9, "\u0434\u0430": 10}}})";

std::string File(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data;
}

// Piece i is (i, 1).
std::string Table() {
  std::string data;
  for (int i = 0; i < 11; ++i) {
    const float row[2] = {static_cast<float>(i), 1.0F};
    data.append(reinterpret_cast<const char*>(row), sizeof(row));
  }
  return File(R"({"embeddings":{"dtype":"F32","shape":[11,2],"data_offsets":[0,88]}})", data);
}

std::vector<uint32_t> Pieces(std::string_view text) {
  std::vector<uint32_t> pieces;
  WordPiece::FromTokenizerJson(kTokenizer)->Cut(text, &pieces);
  return pieces;
}

TEST(WordPieceTest, CutsAsBertDoes) {
  const struct {
    std::string_view text;
    std::vector<uint32_t> pieces;
  } cases[] = {
      {"", {}},
      {"card", {1}},
      {"Cards!", {1, 2, 5}},
      {"caf\xC3\xA9", {3, 4}},
      {"CAF\xC3\x89 card", {3, 4, 1}},
      {"unlock", {8}},
      {"unlocks", {8, 2}},
      {"card\xE4\xB8\xAD"
       "card",
       {1, 9, 1}},
      {"\xD0\x94\xD0\x90", {10}},
      {"cardx card", {1}},                // Unknown as a whole.
      {"cardsssssssssssssss card", {1}},  // Too long.
      {"ca\xFFrd\x01", {1}},              // Broken bytes and controls go.
      {"  card\t\n card ", {1, 1}},
  };
  for (const auto& test : cases) EXPECT_EQ(Pieces(test.text), test.pieces) << test.text;
}

TEST(StaticEmbedderTest, IsTheMeanOfThePieces) {
  const auto embedder = StaticEmbedder::FromBytes(Table(), kTokenizer, "tiny");
  ASSERT_TRUE(embedder.ok()) << embedder.status();
  EXPECT_EQ((*embedder)->dimension(), 2);
  EXPECT_EQ((*embedder)->id(), "tiny");
  float out[2];
  ASSERT_TRUE((*embedder)->Embed("Cards!", out));
  EXPECT_FLOAT_EQ(out[0], 8.0F / 3.0F);
  EXPECT_FLOAT_EQ(out[1], 1.0F);
  EXPECT_FALSE((*embedder)->Embed("nothing known", out));
}

TEST(StaticEmbedderTest, ReadsHalvesAndWeights) {
  std::string data;
  for (int i = 0; i < 11; ++i) {
    const uint16_t one_and_a_half = 0x3E00;
    data.append(reinterpret_cast<const char*>(&one_and_a_half), 2);
  }
  for (int i = 0; i < 11; ++i) {
    const auto weight = static_cast<float>(i);
    data.append(reinterpret_cast<const char*>(&weight), 4);
  }
  const std::string file = File(
      R"({"embeddings":{"dtype":"F16","shape":[11,1],"data_offsets":[0,22]},
          "weights":{"dtype":"F32","shape":[11],"data_offsets":[22,66]}})",
      data);
  const auto embedder = StaticEmbedder::FromBytes(file, kTokenizer, "tiny");
  ASSERT_TRUE(embedder.ok()) << embedder.status();
  float out[1];
  ASSERT_TRUE((*embedder)->Embed("unlock", out));
  EXPECT_FLOAT_EQ(out[0], 12.0F);
}

TEST(StaticEmbedderTest, BrokenFilesAreRefused) {
  const std::string data(88, '\0');
  const std::string bad[] = {
      "",
      "1234567",
      File("{", data),
      File("[]", data),
      File("{}", data),
      File(R"({"embeddings":{"dtype":"I8","shape":[11,2],"data_offsets":[0,88]}})", data),
      File(R"({"embeddings":{"dtype":"F32","shape":[11,2],"data_offsets":[0,89]}})", data),
      File(R"({"embeddings":{"dtype":"F32","shape":[11,3],"data_offsets":[0,88]}})", data),
      File(R"({"embeddings":{"dtype":"F32","shape":[0,2],"data_offsets":[0,88]}})", data),
      File(R"({"embeddings":{"dtype":"F32","shape":[22],"data_offsets":[0,88]}})", data),
      File(R"({"embeddings":{"dtype":"F32","shape":[5,2],"data_offsets":[0,40]}})", data),
      File(R"({"embeddings":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,88]}})", data),
      File(R"({"embeddings":{"dtype":"F32","shape":[11,2],"data_offsets":[88,0]}})", data),
      Table().substr(0, 60),
  };
  for (const std::string& file : bad) {
    EXPECT_TRUE(absl::IsInvalidArgument(StaticEmbedder::FromBytes(file, kTokenizer, "x").status())) << file;
  }
  for (const char* tokenizer : {"", "{}", R"({"model":{"type":"BPE"}})", R"({"model":{"type":"WordPiece"}})",
                                R"({"model":{"type":"WordPiece","vocab":{"a":-1}}})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(StaticEmbedder::FromBytes(Table(), tokenizer, "x").status()));
  }
  EXPECT_TRUE(absl::IsNotFound(StaticEmbedder::Load("/no/such/folder").status()));
}

}  // namespace
}  // namespace purser::cache
