// Fits the weights of engine/estimates/token_estimate.h.
//
//   fit --corpus corpus.bin [--corpus more.bin ...] --judge known.bin --out token_weights.bin [--detail]
//   fit --corpus ... --judge ... --weights token_weights.bin [--detail]        only judges
//
// A corpus is what label.mjs writes: texts with a mark wherever a token starts. Sources marked as held are
// not fitted on; cut into pieces of 150-3000 bytes they are judged on, as is everything in the files after
// --judge.
//
// The fit, in order:
//   1. what a byte costs: least squares by back-fitting two tables (pair, window) of what is left over;
//   2. which units get a name of their own: those where (1) is most wrong over the corpus, a text counting a
//   unit at
//      most twice and a unit known from one source only counting less, so that no document's own words fill
//      the table;
//   3. (1) again over units that a text of another source would meet unnamed, and (2) again.
// No floating-point order depends on threads or hashing seeds: the same corpus gives the same weights.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/estimates/token_units.h"

namespace purser::estimates {
namespace {

constexpr int kFamilies = 4;
constexpr std::string_view kFamilyNames[kFamilies] = {"o200k_base", "cl100k_base", "llama3", "mistral_v1"};
constexpr int kPad = 16;
constexpr int kMaxPerText = 3;  // Occurrences of a unit that count.
// Units without a name cost less in other texts than in those fitted on, which name their own rare words
// often. One number for all kinds of text and all families, chosen on the held sources between 1 and 0.9.
constexpr float kElsewhere = 0.95f;
using Costs = std::array<float, kFamilies>;

struct Text {
  std::string kind;
  uint32_t source = 0;
  float weight = 1;
  bool held = false;
  std::array<uint32_t, kFamilies> counts = {};
  std::string bytes;  // Padded by kPad line breaks on both sides.
  std::string marks;

  const uint8_t* begin() const { return reinterpret_cast<const uint8_t*>(bytes.data()) + kPad; }
  size_t size() const { return marks.size(); }
};

std::string Padded(std::string_view text) { return std::string(kPad, '\n').append(text).append(kPad, '\n'); }

uint32_t SourceNumber(const std::string& name) {
  static std::map<std::string, uint32_t> numbers;
  return numbers.emplace(name, static_cast<uint32_t>(numbers.size())).first->second;
}

std::vector<Text> ReadCorpus(const char* file, bool judge) {
  std::ifstream in(file, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  if (all.empty()) std::fprintf(stderr, "%s: cannot be read, or is empty\n", file);
  std::vector<Text> texts;
  for (size_t at = 0; at < all.size();) {
    Text text;
    uint32_t size;
    std::memcpy(&size, &all[at], 4);
    text.held = judge || all[at + 4] != 0;
    at += 5;
    const auto take_name = [&] {
      const size_t length = static_cast<uint8_t>(all[at]);
      at += 1 + length;
      return all.substr(at - length, length);
    };
    text.kind = take_name();
    if (const size_t colon = text.kind.find(':'); colon != std::string::npos)
      text.weight = static_cast<float>(std::atof(text.kind.c_str() + colon + 1));
    if (judge) text.kind = "known_" + text.kind;
    text.source = SourceNumber(text.kind + "/" + take_name());
    std::memcpy(text.counts.data(), &all[at], 16);
    at += 16;
    text.bytes = Padded(std::string_view(all).substr(at, size));
    text.marks = all.substr(at + size, size);
    at += 2 * static_cast<size_t>(size);
    if (size > 0) texts.push_back(std::move(text));
  }
  return texts;
}

// Runs of whole lines of 150-3000 bytes, as prompts and documents come.
void CutIntoPieces(const Text& text, std::vector<Text>* pieces) {
  const std::string_view bytes(reinterpret_cast<const char*>(text.begin()), text.size());
  uint64_t random = 88172645463325252 ^ text.size();
  for (size_t at = 0; at + 150 < bytes.size();) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    const auto length =
        static_cast<size_t>(150 * std::exp(static_cast<double>(random % 10007) / 10007 * std::log(20)));
    size_t end = bytes.find('\n', std::min(bytes.size(), at + length));
    if (end == std::string_view::npos || end > at + length + 400) end = std::min(bytes.size(), at + length);
    while (end < bytes.size() && (static_cast<uint8_t>(bytes[end]) & 0xc0) == 0x80) ++end;
    Text piece;
    piece.kind = text.kind;
    piece.bytes = Padded(bytes.substr(at, end - at));
    piece.marks = text.marks.substr(at, end - at);
    for (const char mark : piece.marks)
      for (int f = 0; f < kFamilies; ++f) piece.counts[f] += (mark >> f) & 1;
    pieces->push_back(std::move(piece));
    at = end + (end < bytes.size() && bytes[end] == '\n');
  }
}

template <typename Visit>
void ForEachUnit(const Text& text, Visit visit) {
  const uint8_t* const p = text.begin();
  const size_t size = text.size();
  for (size_t start = 0; start < size;) {
    size_t end = start + 1;
    while (end < size && !StartsUnit(p[end - 1], p[end], p[end + 1])) ++end;
    const size_t length = end - start;
    const uint64_t name = UnitName(p + start, length);
    visit(start, length, name);
    start = end;
  }
}

Costs MarkedIn(const Text& text, size_t start, size_t length) {
  Costs costs = {};
  for (size_t i = start; i < start + length; ++i)
    for (int f = 0; f < kFamilies; ++f) costs[f] += (text.marks[i] >> f) & 1;
  return costs;
}

// A kind of unit over the whole corpus.
struct Unit {
  uint64_t name = 0;
  uint32_t source = 0;
  bool many_sources = false;
  bool of_vocabulary = false;
  bool named = false;
  uint32_t last_text = ~0u;
  int in_text = 0;
  double seen = 0;    // Occurrences that count, by weight.
  Costs marked = {};  // Over these.
  Costs by_bytes = {};
};

struct Occurrence {
  uint32_t text;
  uint32_t start;
  uint32_t length;
  uint32_t unit;
};

class Fitter {
 public:
  explicit Fitter(const std::vector<Text>& texts) : texts_(texts) {
    std::unordered_map<uint64_t, uint32_t> numbers;
    for (uint32_t t = 0; t < texts.size(); ++t) {
      const Text& text = texts[t];
      if (text.held) continue;
      ForEachUnit(text, [&](size_t start, size_t length, uint64_t name) {
        const auto [at, is_new] = numbers.emplace(name, static_cast<uint32_t>(units_.size()));
        if (is_new) units_.push_back({.name = name, .source = text.source});
        Unit& unit = units_[at->second];
        unit.many_sources |= unit.source != text.source;
        unit.of_vocabulary |= text.weight != 1;
        if (unit.last_text != t) unit.in_text = 0;
        unit.last_text = t;
        if (++unit.in_text > kMaxPerText) return;
        occurrences_.push_back({t, static_cast<uint32_t>(start), static_cast<uint32_t>(length), at->second});
      });
    }
    std::fprintf(stderr, "%zu units, %zu kinds\n", occurrences_.size(), units_.size());
    pairs_.resize(size_t{1} << kPairBits);
    windows_.resize(size_t{1} << kWindowBits);
  }

  void FitBytes(bool only_unnamed, int rounds) {
    for (int round = 0; round < rounds; ++round)
      for (const bool windows : {false, true}) FitTable(only_unnamed, windows);
  }

  void ChooseNames() {
    for (Unit& unit : units_) {
      unit.seen = 0;
      unit.marked = unit.by_bytes = {};
      unit.named = false;
    }
    for (const Occurrence& o : occurrences_) {
      Unit& unit = units_[o.unit];
      const Text& text = texts_[o.text];
      unit.seen += text.weight;
      const Costs marked = MarkedIn(text, o.start, o.length);
      for (int f = 0; f < kFamilies; ++f) unit.marked[f] += text.weight * marked[f];
      const uint8_t* p = text.begin();
      for (uint32_t i = o.start; i < o.start + o.length; ++i) {
        const Costs cost = ByteCost(p + i);
        for (int f = 0; f < kFamilies; ++f) unit.by_bytes[f] += text.weight * cost[f];
      }
    }
    std::vector<std::pair<float, uint32_t>> slots(size_t{1} << kNamedBits, {0, ~0u});
    for (uint32_t u = 0; u < units_.size(); ++u) {
      const Unit& unit = units_[u];
      if (unit.seen < 3) continue;
      float gain = 0;
      for (int f = 0; f < kFamilies; ++f) gain += std::abs(unit.marked[f] - unit.by_bytes[f]);
      if (!unit.many_sources && !unit.of_vocabulary) gain *= 0.3f;
      auto& slot = slots[NamedSlot(unit.name)];
      if (gain > slot.first) slot = {gain, u};
    }
    size_t named = 0;
    for (const auto& [gain, u] : slots)
      if (u != ~0u) {
        units_[u].named = true;
        ++named;
      }
    size_t covered = 0;
    for (const Occurrence& o : occurrences_) covered += units_[o.unit].named;
    std::fprintf(stderr, "%zu units named, %.1f %% of all\n", named,
                 100.0 * static_cast<double>(covered) / static_cast<double>(occurrences_.size()));
  }

  std::unique_ptr<TokenWeights> Weights() const {
    auto weights = std::make_unique<TokenWeights>();
    for (size_t i = 0; i < pairs_.size(); ++i) weights->pairs[i] = PackBytes(pairs_[i]);
    for (size_t i = 0; i < windows_.size(); ++i) weights->windows[i] = PackBytes(windows_[i]);

    // The palette: the costs that units have, rounded to quarters and to 1/16 near whole numbers of tokens;
    // the ones most used, and for the others the nearest.
    std::map<uint64_t, double> used;
    for (const Unit& unit : units_)
      if (unit.named) used[PackCosts(unit)] += unit.seen;
    std::vector<std::pair<double, uint64_t>> by_use;
    for (const auto& [costs, seen] : used) by_use.emplace_back(seen, costs);
    std::sort(by_use.rbegin(), by_use.rend());
    by_use.resize(std::min(by_use.size(), weights->palette.size()));
    std::fprintf(stderr, "%zu different costs, %zu in the palette\n", used.size(), by_use.size());
    for (size_t i = 0; i < by_use.size(); ++i) weights->palette[i] = by_use[i].second;
    std::map<uint64_t, uint32_t> entry_of;
    for (const auto& [costs, seen] : used) {
      uint32_t best = 0;
      int64_t least = INT64_MAX;
      for (uint32_t i = 0; i < by_use.size() && least > 0; ++i) {
        int64_t distance = 0;
        for (int f = 0; f < kFamilies; ++f) {
          const int64_t d = static_cast<int64_t>((costs >> (16 * f)) & 0xffff) -
                            static_cast<int64_t>((by_use[i].second >> (16 * f)) & 0xffff);
          distance += d * d;
        }
        if (distance < least) {
          least = distance;
          best = i;
        }
      }
      entry_of[costs] = best;
    }
    for (const Unit& unit : units_)
      if (unit.named) weights->named[NamedSlot(unit.name)] = NamedTag(unit.name) | entry_of[PackCosts(unit)];
    return weights;
  }

 private:
  static uint32_t PackBytes(const Costs& costs) {
    uint32_t packed = 0;
    for (int f = 0; f < kFamilies; ++f) {
      const long value = std::lround(costs[f] * kElsewhere * kTokenUnit) + kByteZero;
      packed |= static_cast<uint32_t>(std::clamp(value, 0L, 255L)) << (8 * f);
    }
    return packed;
  }
  static uint64_t PackCosts(const Unit& unit) {
    uint64_t packed = 0;
    for (int f = 0; f < kFamilies; ++f) {
      const double cost = unit.marked[f] / unit.seen;
      const double step = std::abs(cost - std::round(cost)) < 0.2 ? 16 : 8;
      const auto value = static_cast<uint64_t>(std::lround(std::round(cost * step) / step * kTokenUnit));
      packed |= std::min<uint64_t>(value, 0x7fff) << (16 * f);
    }
    return packed;
  }
  Costs ByteCost(const uint8_t* p) const {
    Costs cost = pairs_[PairSlot(p[-1], p[0])];
    const Costs& window = windows_[WindowSlot(LoadWord(p - 3))];
    for (int f = 0; f < kFamilies; ++f) cost[f] += window[f];
    return cost;
  }

  // Adds to each slot the mean of what is left over there, shrunk where it was seen rarely.
  void FitTable(bool only_unnamed, bool windows) {
    std::vector<Costs>& table = windows ? windows_ : pairs_;
    std::vector<Costs> left(table.size());
    std::vector<float> seen(table.size());
    for (const Occurrence& o : occurrences_) {
      const Unit& unit = units_[o.unit];
      const Text& text = texts_[o.text];
      if (text.weight != 1) continue;  // Words of a vocabulary are named or not at all.
      if (only_unnamed && unit.named && unit.many_sources) continue;
      const uint8_t* p = text.begin();
      for (uint32_t i = o.start; i < o.start + o.length; ++i) {
        const uint32_t slot = windows ? WindowSlot(LoadWord(p + i - 3)) : PairSlot((p + i)[-1], p[i]);
        const Costs cost = ByteCost(p + i);
        seen[slot] += 1;
        for (int f = 0; f < kFamilies; ++f)
          left[slot][f] += static_cast<float>((text.marks[i] >> f) & 1) - cost[f];
      }
    }
    for (size_t s = 0; s < table.size(); ++s)
      for (int f = 0; f < kFamilies; ++f) table[s][f] += left[s][f] / (seen[s] + (windows ? 3.0f : 0.5f));
  }

  const std::vector<Text>& texts_;
  std::vector<Unit> units_;
  std::vector<Occurrence> occurrences_;
  std::vector<Costs> pairs_;
  std::vector<Costs> windows_;
};

std::array<double, kFamilies> Estimate(const TokenWeights& weights, const Text& text, double* named_share) {
  std::array<int64_t, kFamilies> sum = {};
  size_t named_bytes = 0;
  const uint8_t* p = text.begin();
  ForEachUnit(text, [&](size_t start, size_t length, uint64_t name) {
    const uint32_t entry = weights.named[NamedSlot(name)];
    if (((entry ^ NamedTag(name)) >> kPaletteBits) == 0) {
      named_bytes += length;
      for (int f = 0; f < kFamilies; ++f)
        sum[f] += (weights.palette[entry & ((1u << kPaletteBits) - 1)] >> (16 * f)) & 0xffff;
      return;
    }
    for (size_t i = start; i < start + length; ++i) {
      const uint32_t pair = weights.pairs[PairSlot((p + i)[-1], p[i])];
      const uint32_t window = weights.windows[WindowSlot(LoadWord(p + i - 3))];
      for (int f = 0; f < kFamilies; ++f)
        sum[f] +=
            static_cast<int64_t>((pair >> (8 * f)) & 0xff) + ((window >> (8 * f)) & 0xff) - 2 * kByteZero;
    }
  });
  *named_share = static_cast<double>(named_bytes) / static_cast<double>(text.size());
  std::array<double, kFamilies> tokens;
  for (int f = 0; f < kFamilies; ++f) tokens[f] = std::max(1.0, static_cast<double>(sum[f]) / kTokenUnit);
  return tokens;
}

void Judge(const TokenWeights& weights, const std::vector<Text>& pieces, bool detail) {
  struct Kind {
    std::array<std::vector<double>, kFamilies> errors;
    double named = 0;
  };
  std::map<std::string, Kind> kinds;
  std::array<std::vector<double>, kFamilies> excess;
  for (const Text& text : pieces) {
    Kind& kind = kinds[text.kind];
    double named = 0;
    const std::array<double, kFamilies> tokens = Estimate(weights, text, &named);
    kind.named += named;
    for (int f = 0; f < kFamilies; ++f) {
      kind.errors[f].push_back(tokens[f] / text.counts[f] - 1);
      // How many root-mean-squares the count exceeds the estimate by, if errors grew as 8 % and a root.
      excess[f].push_back((text.counts[f] - tokens[f]) / (0.02 * tokens[f] + 0.5 * std::sqrt(tokens[f])));
    }
  }
  for (int f = 0; f < kFamilies; ++f) {
    double worst_median[2] = {}, worst_p90[2] = {};
    std::string where[4];
    for (auto& [name, kind] : kinds) {
      std::vector<double> absolute;
      double bias = 0;
      for (const double e : kind.errors[f]) {
        absolute.push_back(std::abs(e));
        bias += e;
      }
      std::sort(absolute.begin(), absolute.end());
      const double median = 100 * absolute[absolute.size() / 2],
                   p90 = 100 * absolute[absolute.size() * 9 / 10];
      const int language =
          name.find("lang_") != std::string::npos || name.find("chinese") != std::string::npos;
      if (median > worst_median[language]) worst_median[language] = median, where[language] = name;
      if (p90 > worst_p90[language]) worst_p90[language] = p90, where[2 + language] = name;
      if (detail)
        std::printf("%-12s %-24s median %4.1f p90 %5.1f bias %+5.1f %% named %2.0f %% of %zu texts\n",
                    kFamilyNames[f].data(), name.c_str(), median, p90,
                    100 * bias / static_cast<double>(absolute.size()),
                    100 * kind.named / static_cast<double>(absolute.size()), absolute.size());
    }
    std::sort(excess[f].begin(), excess[f].end());
    std::printf(
        "%-12s worst: median %.1f %% (%s) p90 %.1f %% (%s); languages: median %.1f %% (%s) p90 %.1f %% (%s); "
        "excess p99 %.2f p99.9 %.2f max %.2f\n",
        kFamilyNames[f].data(), worst_median[0], where[0].c_str(), worst_p90[0], where[2].c_str(),
        worst_median[1], where[1].c_str(), worst_p90[1], where[3].c_str(),
        excess[f][excess[f].size() * 99 / 100], excess[f][excess[f].size() * 999 / 1000], excess[f].back());
  }
}

int Main(int argc, char** argv) {
  std::vector<Text> texts, pieces;
  auto weights = std::make_unique<TokenWeights>();
  const char* out = nullptr;
  bool detail = false, fitted = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--detail") {
      detail = true;
    } else if (i + 1 < argc && option == "--out") {
      out = argv[++i];
    } else if (i + 1 < argc && option == "--weights") {
      std::ifstream(argv[++i], std::ios::binary)
          .read(reinterpret_cast<char*>(weights.get()), sizeof(TokenWeights));
      fitted = true;
    } else if (i + 1 < argc && (option == "--corpus" || option == "--judge")) {
      std::vector<Text> more = ReadCorpus(argv[++i], option == "--judge");
      std::vector<Text>& into = option == "--judge" ? pieces : texts;
      std::move(more.begin(), more.end(), std::back_inserter(into));
    } else {
      std::fprintf(stderr, "unknown option %s; see the top of fit.cc\n", argv[i]);
      return 1;
    }
  }
  if ((out == nullptr && !fitted) || texts.empty()) {
    std::fprintf(stderr, "see the top of fit.cc\n");
    return 1;
  }
  for (const Text& text : texts)
    if (text.held) CutIntoPieces(text, &pieces);
  if (!fitted) {
    Fitter fitter(texts);
    fitter.FitBytes(/*only_unnamed=*/false, 2);
    fitter.ChooseNames();
    fitter.FitBytes(/*only_unnamed=*/true, 2);
    fitter.ChooseNames();
    fitter.FitBytes(/*only_unnamed=*/true, 2);
    weights = fitter.Weights();
    std::ofstream(out, std::ios::binary)
        .write(reinterpret_cast<const char*>(weights.get()), sizeof(TokenWeights));
  }
  Judge(*weights, pieces, detail);
  return 0;
}

}  // namespace
}  // namespace purser::estimates

int main(int argc, char** argv) { return purser::estimates::Main(argc, argv); }
