#include "engine/estimates/token_estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "engine/estimates/token_reader.h"

namespace purser::estimates {
namespace {

using Counts = std::array<int64_t, kTokenFamilies>;

// Texts of our own, with the counts that the tokenizers give.
struct Known {
  const char* what;
  std::string text;
  Counts tokens;
  double tolerance;
};

std::vector<Known> KnownTexts();

TEST(TokenEstimateTest, EstimatesWhatTheTokenizersCount) {
  for (const Known& known : KnownTexts()) {
    const TextFeatures features = ReadText(known.text);
    for (int f = 0; f < kTokenFamilies; ++f) {
      const auto family = static_cast<TokenFamily>(f);
      const auto exact = static_cast<double>(known.tokens[f]);
      EXPECT_NEAR(static_cast<double>(EstimateTokens(family, features)), exact, 1 + exact * known.tolerance)
          << known.what << ", " << TokenFamilyName(family);
      EXPECT_GE(TokenBound(family, features), known.tokens[f])
          << known.what << ", " << TokenFamilyName(family);
    }
  }
}

TEST(TokenEstimateTest, NothingCostsNothingAndAnythingCostsAToken) {
  EXPECT_EQ(ReadText(""), TextFeatures());
  for (int f = 0; f < kTokenFamilies; ++f) {
    const auto family = static_cast<TokenFamily>(f);
    EXPECT_EQ(EstimateTokens(family, {}), 0);
    EXPECT_EQ(TokenBound(family, {}), 0);
    EXPECT_EQ(TokenCeiling(family, {}), 0);
    for (const std::string_view text : {"a", " ", "\n", "7", "\xff"})
      EXPECT_EQ(EstimateTokens(family, ReadText(text)), 1) << text;
  }
}

TEST(TokenEstimateTest, PiecesAddUp) {
  const TextFeatures a = ReadText("What is the capital of France?"), b = ReadText("{\"city\": \"Paris\"}");
  TextFeatures both = a;
  both += b;
  EXPECT_EQ(both, a + b);
  EXPECT_EQ(both.pieces, 2);
  EXPECT_EQ(both.bytes, a.bytes + b.bytes);
  for (int f = 0; f < kTokenFamilies; ++f) EXPECT_EQ(both.tokens[f], a.tokens[f] + b.tokens[f]);
}

std::string RandomText(std::mt19937_64& random, size_t size) {
  // Bytes of all sorts in runs, so that units of every kind, length and neighbourhood occur.
  static const std::vector<std::string> kPieces = {" the",
                                                   " Token",
                                                   "getElementById",
                                                   "HTTPServer",
                                                   "12345",
                                                   "\n\n    ",
                                                   "    ",
                                                   "});\n",
                                                   "\t",
                                                   "日本語",
                                                   "привет",
                                                   " şöyle",
                                                   "x",
                                                   " ",
                                                   "_name",
                                                   ".map",
                                                   "\xff",
                                                   std::string(1, '\0'),
                                                   "====",
                                                   "🙂",
                                                   "0",
                                                   "A",
                                                   "aVeryLongIdentifierThatNobodyNames"};
  std::string text;
  while (text.size() < size) {
    if (random() % 4 == 0)
      text.push_back(static_cast<char>(random()));
    else
      text += kPieces[random() % kPieces.size()];
    if (random() % 400 == 0) text.append(random() % 9000, "a \n"[random() % 3]);
  }
  text.resize(size);
  return text;
}

class FastLoopTest : public testing::TestWithParam<bool> {};

TEST_P(FastLoopTest, AgreesWithThePlainOne) {
  const bool avx512 = GetParam();
  if (avx512 ? !HasAvx512() : !HasAvx2()) GTEST_SKIP() << "this machine cannot run it";
  const ReadChunkFunction fast = avx512 ? ReadChunkAvx512 : ReadChunkAvx2;
  std::mt19937_64 random(4);
  for (int trial = 0; trial < 3000; ++trial) {
    const size_t size = trial < 600 ? static_cast<size_t>(trial) : random() % 20'000;
    const std::string text = RandomText(random, size);
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    ASSERT_EQ(ReadWith(fast, FittedWeights(), bytes, size),
              ReadWith(ReadChunkPlain, FittedWeights(), bytes, size))
        << "trial " << trial << ", " << size << " bytes";
  }
}

INSTANTIATE_TEST_SUITE_P(Loops, FastLoopTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Avx512" : "Avx2"; });

// Splits the whole text at once, without chunks.
TokenSums WithoutChunks(const std::string& text) {
  const std::string padded = std::string(kChunkPadding, '\n') + text + std::string(kChunkPadding, '\n');
  TokenSums sums = {};
  ReadChunkPlain(FittedWeights(), reinterpret_cast<const uint8_t*>(padded.data()) + kChunkPadding,
                 text.size(), true, &sums);
  return sums;
}

TEST(TokenReaderTest, ChunksDoNotShowInTheSum) {
  std::mt19937_64 random(8);
  std::string text;
  for (int trial = 0; trial < 200; ++trial) {
    // No unit is longer than a chunk here.
    text = RandomText(random, random() % 3000);
    for (int part = 0; part < 8; ++part) text += "\nword " + RandomText(random, random() % 3000);
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    bool long_unit = false;
    for (size_t i = 0, start = 0; i + 1 < text.size(); ++i) {
      if (i > 0 && StartsUnit(bytes[i - 1], bytes[i], bytes[i + 1])) start = i;
      long_unit |= i - start >= kChunkBytes - 1;
    }
    if (long_unit) continue;
    ASSERT_EQ(ReadWith(FastestReadChunk(), FittedWeights(), bytes, text.size()), WithoutChunks(text))
        << trial;
  }
}

TEST(TokenEstimateTest, BoundsAreInOrderForAnyBytes) {
  std::mt19937_64 random(6);
  for (int trial = 0; trial < 2000; ++trial) {
    const TextFeatures features = ReadText(RandomText(random, random() % 600));
    for (int f = 0; f < kTokenFamilies; ++f) {
      const auto family = static_cast<TokenFamily>(f);
      EXPECT_LE(EstimateTokens(family, features), TokenBound(family, features));
      EXPECT_LE(TokenBound(family, features), TokenCeiling(family, features));
    }
  }
}

TEST(TokenEstimateTest, AMegabyteOfOneByteIsFine) {
  for (const char c : {'a', ' ', '\n', '=', '9', '\0', '\xe4'}) {
    const TextFeatures features = ReadText(std::string(1 << 20, c));
    for (int f = 0; f < kTokenFamilies; ++f) {
      EXPECT_GE(EstimateTokens(static_cast<TokenFamily>(f), features), 1);
      EXPECT_LE(EstimateTokens(static_cast<TokenFamily>(f), features), 1 << 20);
    }
  }
}

TEST(TokenFamilyTest, NamesAreReadAsTheyAreWritten) {
  for (int f = 0; f < kTokenFamilies; ++f)
    EXPECT_EQ(ParseTokenFamily(TokenFamilyName(static_cast<TokenFamily>(f))), static_cast<TokenFamily>(f));
  EXPECT_EQ(ParseTokenFamily("gpt2"), std::nullopt);
  EXPECT_EQ(ParseTokenFamily(""), std::nullopt);
}

TEST(TokenFamilyTest, ModelsCountByTheFamilyNearestToThem) {
  const struct {
    std::string_view provider, model;
    TokenFamily family;
  } kCases[] = {
      {"openai", "gpt-4o-mini", TokenFamily::kO200kBase},
      {"azure", "gpt-4o-2024-08-06", TokenFamily::kO200kBase},
      {"openai", "gpt-5.1", TokenFamily::kO200kBase},
      {"openai", "o3-mini", TokenFamily::kO200kBase},
      {"", "openai/o1", TokenFamily::kO200kBase},
      {"openai", "gpt-4-turbo", TokenFamily::kCl100kBase},
      {"openai", "gpt-3.5-turbo-0125", TokenFamily::kCl100kBase},
      {"groq", "Llama-3.3-70b-versatile", TokenFamily::kLlama3},
      {"meta", "llama-4-scout", TokenFamily::kO200kBase},
      {"mistral", "mixtral-8x7b", TokenFamily::kMistralV1},
      {"mistral", "open-mistral-7b", TokenFamily::kMistralV1},
      // Not public, or not known: rather too many than too few.
      {"anthropic", "claude-sonnet-4-5", TokenFamily::kMistralV1},
      {"google", "gemini-2.5-pro", TokenFamily::kMistralV1},
      {"", "", TokenFamily::kMistralV1},
      {"someone", "o3", TokenFamily::kMistralV1},
      {"", "o3dragon", TokenFamily::kMistralV1},
  };
  for (const auto& c : kCases)
    EXPECT_EQ(TokenFamilyOf(c.provider, c.model), c.family) << c.provider << " " << c.model;
}

TEST(TokenEstimateTest, ChatsAddTheirTemplate) {
  EXPECT_EQ(ChatOverheadTokens(TokenFamily::kO200kBase, 0), 0);
  EXPECT_EQ(ChatOverheadTokens(TokenFamily::kO200kBase, 3), 15);
  for (int f = 0; f < kTokenFamilies; ++f)
    EXPECT_GT(ChatOverheadTokens(static_cast<TokenFamily>(f), 2),
              ChatOverheadTokens(static_cast<TokenFamily>(f), 1));
}

std::vector<Known> KnownTexts() {
  return {
#include "engine/estimates/token_known_texts.inc"
  };
}

}  // namespace
}  // namespace purser::estimates
