#include "engine/pricing/model_prices.h"

#include <algorithm>

#include "engine/base/region.h"

namespace purser::pricing {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kSecondsPerDay = 86'400;

bool AnyCovers(const std::vector<std::string>& listed, std::string_view region) {
  return std::any_of(listed.begin(), listed.end(),
                     [&](const std::string& one) { return IsInRegion(region, one); });
}

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

bool Applies(const Sheet& sheet, ServiceTier tier, std::string_view region, int64_t time_nanos) {
  if (sheet.service_tiers != 0 && (sheet.service_tiers >> static_cast<int>(tier) & 1) == 0) return false;
  if (time_nanos < sheet.from_nanos || time_nanos >= sheet.until_nanos) return false;
  if (!sheet.regions.empty() && (region.empty() || !AnyCovers(sheet.regions, region))) return false;
  if (!sheet.regions_except.empty() && (region.empty() || AnyCovers(sheet.regions_except, region)))
    return false;
  return sheet.windows.empty() ||
         std::any_of(sheet.windows.begin(), sheet.windows.end(),
                     [&](const TimeWindow& window) { return window.Contains(time_nanos); });
}

}  // namespace

bool TimeWindow::Contains(int64_t time_nanos) const {
  int64_t second = FloorDivide(time_nanos, kNanosPerSecond);
  if (!offsets.empty()) {
    const auto after =
        std::upper_bound(offsets.begin(), offsets.end(), time_nanos,
                         [](int64_t t, const Offset& offset) { return t < offset.from_nanos; });
    second += after == offsets.begin() ? offsets.front().seconds_east : std::prev(after)->seconds_east;
  }
  const int64_t day = FloorDivide(second, kSecondsPerDay);
  const int64_t of_day = second - day * kSecondsPerDay;
  // 1970-01-01 was a Thursday.
  const auto on = [&](int64_t d) { return (weekdays >> (((d + 3) % 7 + 7) % 7) & 1) != 0; };
  if (begin_second < end_second) return of_day >= begin_second && of_day < end_second && on(day);
  return (of_day >= begin_second && on(day)) || (of_day < end_second && on(day - 1));
}

const Sheet* ModelPrices::SheetFor(ServiceTier tier, std::string_view region, int64_t time_nanos) const {
  if (tier == ServiceTier::kUnstated) tier = ServiceTier::kStandard;
  for (const Sheet& sheet : sheets) {
    if (sheet.unconditional || Applies(sheet, tier, region, time_nanos)) return &sheet;
  }
  if (tier == ServiceTier::kStandard) return nullptr;
  return SheetFor(ServiceTier::kStandard, region, time_nanos);
}

const Sheet* ModelPrices::SheetAlwaysFor(ServiceTier tier) const {
  if (tier == ServiceTier::kUnstated) tier = ServiceTier::kStandard;
  for (const Sheet& sheet : sheets) {
    const bool serves = sheet.service_tiers == 0 || (sheet.service_tiers >> static_cast<int>(tier) & 1) != 0;
    if (!serves) continue;
    const bool always = sheet.from_nanos == INT64_MIN && sheet.until_nanos == INT64_MAX &&
                        sheet.regions.empty() && sheet.regions_except.empty() && sheet.windows.empty();
    return always ? &sheet : nullptr;
  }
  return tier == ServiceTier::kStandard ? nullptr : SheetAlwaysFor(ServiceTier::kStandard);
}

}  // namespace purser::pricing
