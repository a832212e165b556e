#include "engine/pricing/price_gaps.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace purser::pricing {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kQuarterHour = int64_t{900} * 1'000'000'000;
constexpr int64_t kWeek = 7 * 96 * kQuarterHour;

// From one date on which a price list begins or ends to the next.
struct Stretch {
  int64_t from_nanos = 0;
  int64_t until_nanos = kNever;
};

struct Found {
  bool always = true;     // A price at every time that was looked at.
  bool never = true;      // At none of them.
  bool has_sheet = true;  // A sheet applied whenever there was no price.
  MeterSet unpriced;
};

std::string Date(int64_t nanos) {
  const absl::Time time = absl::FromUnixNanos(nanos);
  const bool midnight = nanos % (96 * kQuarterHour) == 0;
  return absl::FormatTime(midnight ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::vector<Stretch> StretchesOf(const ModelPrices& prices, int64_t now_nanos) {
  std::vector<int64_t> ends = {kNever};
  for (const Sheet& sheet : prices.sheets) {
    for (const int64_t date : {sheet.from_nanos, sheet.until_nanos}) {
      if (date > now_nanos) ends.push_back(date);
    }
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  std::vector<Stretch> stretches;
  int64_t from = now_nanos;
  for (const int64_t end : ends) {
    stretches.push_back({from, end});
    from = end;
  }
  return stretches;
}

Found LookAt(const PricedCandidate& candidate, const Stretch& stretch) {
  const ModelPrices& prices = *candidate.prices;
  const bool by_the_hour = std::any_of(prices.sheets.begin(), prices.sheets.end(),
                                       [](const Sheet& sheet) { return !sheet.windows.empty(); });
  QuoteInput input;
  input.input_tokens = input.most_input_tokens = 1;
  // What is embedded or ranked has no output to be billed.
  const bool answers = prices.mode != "embedding" && prices.mode != "rerank";
  input.output_tokens = input.most_output_tokens = answers ? 1 : 0;
  const int64_t last = !by_the_hour                                       ? stretch.from_nanos
                       : stretch.until_nanos - stretch.from_nanos > kWeek ? stretch.from_nanos + kWeek
                                                                          : stretch.until_nanos - 1;
  Found found;
  for (int64_t time = stretch.from_nanos; time <= last; time += kQuarterHour) {
    input.time_nanos = time;
    const Quote quote = MakeQuote(candidate, input);
    found.always &= quote.priced;
    found.never &= !quote.priced;
    if (quote.priced) continue;
    found.has_sheet &= quote.sheet != nullptr;
    found.unpriced = found.unpriced | quote.unpriced;
  }
  return found;
}

// The last date by which a sheet had ended; the smallest int64: none has.
int64_t LastEnd(const ModelPrices& prices, int64_t by_nanos) {
  int64_t last = std::numeric_limits<int64_t>::min();
  for (const Sheet& sheet : prices.sheets) {
    if (sheet.until_nanos <= by_nanos) last = std::max(last, sheet.until_nanos);
  }
  return last;
}

bool AnyListAt(const ModelPrices& prices, int64_t time_nanos) {
  return std::any_of(prices.sheets.begin(), prices.sheets.end(), [&](const Sheet& sheet) {
    return time_nanos >= sheet.from_nanos && time_nanos < sheet.until_nanos;
  });
}

std::string Describe(const PricedCandidate& candidate, const Stretch& stretch, const Found& found,
                     int64_t now_nanos) {
  const ModelPrices& prices = *candidate.prices;
  const std::string after =
      stretch.until_nanos == kNever ? "" : absl::StrCat("; the next begin on ", Date(stretch.until_nanos));
  const bool now = stretch.from_nanos <= now_nanos;
  const std::string since = now ? "" : absl::StrCat(" from ", Date(stretch.from_nanos), " on");
  const std::string hours = found.never ? "" : " at some hours";
  if (found.has_sheet) {
    std::string names;
    found.unpriced.ForEach([&names](Meter meter) {
      absl::StrAppend(&names, names.empty() ? "" : ", ", std::string(NameOf(meter)));
    });
    return absl::StrCat("its price list has no rate for ", names, hours, since, after);
  }
  if (!hours.empty()) return absl::StrCat("no price list applies", hours, since, after);
  if (AnyListAt(prices, stretch.from_nanos)) {
    return absl::StrCat("its price lists are for some regions only, and the candidate states none of them",
                        since);
  }
  const int64_t ended = LastEnd(prices, stretch.from_nanos);
  if (ended == std::numeric_limits<int64_t>::min())
    return stretch.until_nanos == kNever ? "it has no price list"
                                         : absl::StrCat("its prices begin on ", Date(stretch.until_nanos));
  return absl::StrCat("its prices ", now ? "ran" : "run", " out on ", Date(ended), after);
}

}  // namespace

std::vector<std::string> DescribePriceGaps(const PricedCandidate& candidate, int64_t now_nanos) {
  std::vector<std::string> gaps;
  if (candidate.prices == nullptr) return gaps;
  for (const Stretch& stretch : StretchesOf(*candidate.prices, now_nanos)) {
    const Found found = LookAt(candidate, stretch);
    if (found.always) continue;
    std::string gap = Describe(candidate, stretch, found, now_nanos);
    if (gaps.empty() || gaps.back() != gap) gaps.push_back(std::move(gap));
  }
  return gaps;
}

}  // namespace purser::pricing
