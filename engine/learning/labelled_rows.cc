#include "engine/learning/labelled_rows.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

namespace purser::learning {
namespace {

constexpr int kTrigramBits = 16;

HashedRow RowOf(std::vector<uint32_t> buckets) {
  std::sort(buckets.begin(), buckets.end());
  HashedRow row;
  const float each = buckets.empty() ? 0.0f : 1.0f / std::sqrt(static_cast<float>(buckets.size()));
  for (const uint32_t bucket : buckets) {
    if (!row.bucket.empty() && row.bucket.back() == bucket) {
      row.share.back() += each;
    } else {
      row.bucket.push_back(bucket);
      row.share.push_back(each);
    }
  }
  return row;
}

}  // namespace

LabelledRows ReadRows(std::span<const Labelled> data, int bucket_bits) {
  LabelledRows rows;
  rows.bucket_bits = {bucket_bits, std::min(bucket_bits, kTrigramBits)};
  std::unordered_map<std::string, int> groups = {{"", 0}};
  for (const Labelled& labelled : data) {
    routing::TextMeasures measures;
    routing::Measure(labelled.prompt, &measures);
    std::vector<uint32_t> words;
    routing::ForEachWordBucket(labelled.prompt, measures, rows.bucket_bits[kWords],
                               [&](uint32_t bucket) { words.push_back(bucket); });
    std::vector<uint32_t> trigrams;
    routing::ForEachTrigramBucket(labelled.prompt, rows.bucket_bits[kTrigrams],
                                  [&](uint32_t bucket) { trigrams.push_back(bucket); });
    rows.hashed[kWords].push_back(RowOf(std::move(words)));
    rows.hashed[kTrigrams].push_back(RowOf(std::move(trigrams)));
    rows.structure.push_back(routing::StructureOf(measures));
    rows.gain.push_back(labelled.strong - labelled.weak);
    rows.group.push_back(groups.emplace(labelled.group, static_cast<int>(groups.size())).first->second);
  }
  rows.groups = static_cast<int>(groups.size());
  return rows;
}

}  // namespace purser::learning
