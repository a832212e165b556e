#include "cache/lexical_embedder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "cache/hash.h"

namespace purser::cache {
namespace {

// Weights found on questions to a support desk; nearby values do about as well.
constexpr float kWordWeight = 1.0F;
constexpr float kPairWeight = 0.7F;
constexpr float kRunWeight = 0.35F;
constexpr float kFunctionWord = 0.4F;
constexpr size_t kShortestRun = 3;
constexpr size_t kLongestRun = 5;
// Longer words are numbers, keys or data: their beginning will do.
constexpr size_t kLongestWord = 64;

bool IsFunctionWord(std::string_view word) {
  static const auto* const kWords = new absl::flat_hash_set<absl::string_view>(
      {"a",    "about", "am",    "an",    "and",  "any",  "are",  "as",    "at",   "be",     "been", "but",
       "by",   "can",   "could", "did",   "do",   "does", "for",  "from",  "get",  "got",    "had",  "has",
       "have", "help",  "how",   "i",     "id",   "if",   "im",   "in",    "is",   "it",     "ive",  "just",
       "know", "like",  "me",    "my",    "need", "of",   "on",   "or",    "out",  "please", "so",   "some",
       "tell", "that",  "the",   "there", "this", "to",   "up",   "use",   "want", "was",    "were", "what",
       "when", "where", "which", "who",   "why",  "will", "with", "would", "you",  "your"});
  return kWords->contains(absl::string_view(word.data(), word.size()));
}

struct Feature {
  uint64_t hash;
  float weight;
};

struct Scratch {
  std::string letters;                           // "<word>" after "<word>", lower case.
  std::vector<std::pair<size_t, size_t>> words;  // Begin and size, without the marks.
  std::vector<Feature> features;
};

uint64_t Hash(std::string_view bytes, uint64_t kind) {
  const Hash128 hash = HashBytes(bytes);
  uint64_t mixed = (hash.low ^ (kind * 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9;
  return mixed ^ (mixed >> 31);
}

// ASCII letters and digits make words, and so does every byte above ASCII; apostrophes are dropped ("don't"
// is "dont"), everything else separates.
void SplitWords(std::string_view text, Scratch* scratch) {
  scratch->letters.clear();
  scratch->words.clear();
  size_t begin = 0;
  bool inside = false;
  const auto end_word = [&] {
    if (!inside) return;
    scratch->words.emplace_back(begin, scratch->letters.size() - begin);
    scratch->letters.push_back('>');
    inside = false;
  };
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool upper = byte >= 'A' && byte <= 'Z';
    const bool part = upper || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte >= 0x80;
    if (c == '\'') continue;
    if (!part) {
      end_word();
      continue;
    }
    if (!inside) {
      scratch->letters.push_back('<');
      begin = scratch->letters.size();
      inside = true;
    }
    if (scratch->letters.size() - begin < kLongestWord) {
      scratch->letters.push_back(upper ? static_cast<char>(byte + 32) : c);
    }
  }
  end_word();
}

void CollectFeatures(Scratch* scratch) {
  const std::string_view letters = scratch->letters;
  scratch->features.clear();
  uint64_t before = 0;
  float weight_before = 1.0F;
  for (const auto& [begin, size] : scratch->words) {
    const std::string_view word = letters.substr(begin, size);
    const float weight = IsFunctionWord(word) ? kFunctionWord : 1.0F;
    const uint64_t hash = Hash(word, 1);
    scratch->features.push_back({hash, kWordWeight * weight});
    const uint64_t pair[2] = {before, hash};
    scratch->features.push_back({Hash({reinterpret_cast<const char*>(pair), sizeof(pair)}, 2),
                                 kPairWeight * std::sqrt(weight * weight_before)});
    const std::string_view marked = letters.substr(begin - 1, size + 2);
    for (size_t run = kShortestRun; run <= kLongestRun; ++run) {
      for (size_t at = 0; at + run <= marked.size(); ++at) {
        scratch->features.push_back({Hash(marked.substr(at, run), 3), kRunWeight * weight});
      }
    }
    before = hash;
    weight_before = weight;
  }
  std::sort(scratch->features.begin(), scratch->features.end(),
            [](const Feature& a, const Feature& b) { return a.hash < b.hash; });
}

}  // namespace

bool LexicalEmbedder::Embed(std::string_view text, std::span<float> out) const {
  thread_local Scratch scratch;
  SplitWords(text, &scratch);
  if (scratch.words.empty()) return false;
  CollectFeatures(&scratch);
  std::fill(out.begin(), out.end(), 0.0F);
  for (size_t i = 0; i < scratch.features.size();) {
    const Feature& feature = scratch.features[i];
    size_t same = i;
    while (same < scratch.features.size() && scratch.features[same].hash == feature.hash) ++same;
    // Repetitions count, ever less; each feature goes to two places, so that a collision blurs half of it.
    const float value = feature.weight * (1.0F + std::log(static_cast<float>(same - i)));
    const uint64_t h = feature.hash;
    out[h % kDimension] += (h >> 63) != 0 ? value : -value;
    out[(h >> 20) % kDimension] += ((h >> 62) & 1) != 0 ? value : -value;
    i = same;
  }
  return true;
}

}  // namespace purser::cache
