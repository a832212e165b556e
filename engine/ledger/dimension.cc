#include "engine/ledger/dimension.h"

#include <array>
#include <atomic>
#include <charconv>
#include <mutex>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/prefixed_bytes.h"

namespace purser::ledger {
namespace {

struct Info {
  Dimension dimension;
  std::string_view name;
  bool within_tenant;
  std::string_view RecordView::*text;  // nullptr: made by KeyOf.
};

constexpr Info kOfRecords[] = {
    {Dimension::kRequestClass, "request_class", false, &RecordView::request_class},
    {Dimension::kRegion, "region", false, &RecordView::region},
    {Dimension::kProvider, "provider", false, &RecordView::provider},
    {Dimension::kModel, "model", false, &RecordView::model},
    {Dimension::kModelAsked, "model_asked", false, &RecordView::model_asked},
    {Dimension::kCandidate, "candidate", false, &RecordView::candidate},
    {Dimension::kServiceTier, "service_tier", false, &RecordView::service_tier},
    {Dimension::kCacheHit, "cache", false, nullptr},
    {Dimension::kOutcome, "outcome", false, nullptr},
    {Dimension::kStep, "step", false, nullptr},
    {Dimension::kPolicy, "policy", false, nullptr},
    {Dimension::kPrices, "prices", false, nullptr},
    {Dimension::kHour, "hour", false, nullptr},
    {Dimension::kDay, "day", false, nullptr},
    {Dimension::kWeek, "week", false, nullptr},
    {Dimension::kMonth, "month", false, nullptr},
};
constexpr size_t kCount = kRequestDimensionCount + std::size(kOfRecords);

// By their number: the dimensions of the request, then those above.
constexpr std::array<Info, kCount> kInfos = [] {
  std::array<Info, kCount> infos{};
  for (size_t row = 0; row < kRequestDimensionCount; ++row) {
    const RequestDimension& dimension = kRequestDimensions[row];
    infos[row] = {static_cast<Dimension>(row), dimension.name, dimension.within_tenant, dimension.member};
  }
  for (const Info& info : kOfRecords) infos[static_cast<size_t>(info.dimension)] = info;
  return infos;
}();

const Info& InfoOf(Dimension dimension) { return kInfos[static_cast<size_t>(dimension)]; }

bool IsOwn(Dimension dimension) { return dimension >= Dimension::kFirstOwn; }

// The names of own dimensions that were parsed, "own." included. Never forgotten, so that a Dimension is a
// number and names are read without a lock.
class OwnNames {
 public:
  static OwnNames& Get() {
    static auto* const names = new OwnNames;
    return *names;
  }

  absl::StatusOr<Dimension> Parse(std::string_view name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    size_t at = 0;
    while (at < count_ && *names_[at].load(std::memory_order_relaxed) != name) ++at;
    if (at == kMaxOwnNames) {
      return absl::ResourceExhaustedError(
          absl::StrCat("\"", std::string(name), "\": more than ", kMaxOwnNames, " own dimensions"));
    }
    if (at == count_) names_[count_++].store(new std::string(name), std::memory_order_release);
    return static_cast<Dimension>(static_cast<size_t>(Dimension::kFirstOwn) + at);
  }
  std::string_view NameOf(Dimension dimension) const {
    const size_t at = static_cast<size_t>(dimension) - static_cast<size_t>(Dimension::kFirstOwn);
    return *names_[at].load(std::memory_order_acquire);
  }

 private:
  std::mutex mutex_;
  size_t count_ = 0;
  std::array<std::atomic<const std::string*>, kMaxOwnNames> names_ = {};
};

constexpr std::string_view kOwn = "own.";

std::string_view OwnValue(const RecordView& record, Dimension dimension) {
  if (record.own_dimensions.empty()) return {};
  const std::string_view name = OwnNames::Get().NameOf(dimension).substr(kOwn.size());
  for (const OwnDimensionView& own : record.own_dimensions) {
    if (own.name == name) return own.value;
  }
  return {};
}

constexpr int64_t kHourNanos = 3'600'000'000'000;
constexpr int64_t kDayNanos = 24 * kHourNanos;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

struct Date {
  int64_t year;
  int month, day;
};

// Days since 1970-01-01 to the proleptic Gregorian calendar: era of 400 years = 146,097 days, years from
// March on, so that the leap day is the last of its year.
Date DateOf(int64_t days) {
  days += 719468;
  const int64_t era = FloorDiv(days, 146097);
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  const int month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

char* PutDigits(int64_t value, int digits, char* to) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) to[i] = static_cast<char>('0' + value % 10);
  return to + digits;
}

std::string_view TimeKey(int64_t time_nanos, Dimension dimension, KeyBuffer& buffer) {
  const int64_t days = FloorDiv(time_nanos, kDayNanos);
  char* to = buffer;
  if (dimension == Dimension::kWeek) {
    // ISO 8601: a week belongs to the year of its Thursday. 1970-01-01 was one.
    const int64_t weekday = ((days + 3) % 7 + 7) % 7;  // From Monday, 0.
    const int64_t thursday = days - weekday + 3;
    const Date date = DateOf(thursday);
    const int64_t before = date.year - 1;  // Leap days are counted up to it.
    const int64_t new_year =
        365 * (date.year - 1970) + FloorDiv(before, 4) - FloorDiv(before, 100) + FloorDiv(before, 400) - 477;
    to = PutDigits(date.year, 4, to);
    *to++ = '-';
    *to++ = 'W';
    to = PutDigits((thursday - new_year) / 7 + 1, 2, to);
    return {buffer, static_cast<size_t>(to - buffer)};
  }
  const Date date = DateOf(days);
  to = PutDigits(date.year, 4, to);
  *to++ = '-';
  to = PutDigits(date.month, 2, to);
  if (dimension != Dimension::kMonth) {
    *to++ = '-';
    to = PutDigits(date.day, 2, to);
  }
  if (dimension == Dimension::kHour) {
    *to++ = 'T';
    to = PutDigits(FloorDiv(time_nanos, kHourNanos) - days * 24, 2, to);
  }
  return {buffer, static_cast<size_t>(to - buffer)};
}

std::string_view NumberKey(uint64_t value, int base, KeyBuffer& buffer) {
  if (value == 0) return {};
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value, base).ptr;
  return {buffer, static_cast<size_t>(end - buffer)};
}

std::string_view CacheKey(CacheHit hit) {
  return hit == CACHE_EXACT ? "exact" : hit == CACHE_SEMANTIC ? "semantic" : "none";
}

std::string_view OutcomeKey(Outcome outcome) {
  switch (outcome) {
    case SUCCEEDED:
      return "succeeded";
    case FAILED:
      return "failed";
    case ERRORED:
      return "errored";
    case STOPPED:
      return "stopped";
    case TIMED_OUT:
      return "timed out";
    default:
      return "";
  }
}

}  // namespace

const std::vector<Dimension>& AllDimensions() {
  static const auto* const all = [] {
    auto* dimensions = new std::vector<Dimension>;
    for (const Info& info : kInfos) dimensions->push_back(info.dimension);
    return dimensions;
  }();
  return *all;
}

std::string_view NameOf(Dimension dimension) {
  return IsOwn(dimension) ? OwnNames::Get().NameOf(dimension) : InfoOf(dimension).name;
}
bool IsWithinTenant(Dimension dimension) { return IsOwn(dimension) || InfoOf(dimension).within_tenant; }

absl::StatusOr<Dimension> ParseDimension(std::string_view name) {
  if (name.starts_with(kOwn) && IsOwnDimensionName(name.substr(kOwn.size())))
    return OwnNames::Get().Parse(name);
  std::string known;
  for (const Info& info : kInfos) {
    if (info.name == name) return info.dimension;
    absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(info.name));
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", std::string(name),
                                                 "\" is not a dimension; there are: ", known,
                                                 ", and own.NAME for a caller's own"));
}

absl::StatusOr<std::vector<Dimension>> ParseDimensions(std::string_view names) {
  std::vector<Dimension> dimensions;
  while (true) {
    const size_t comma = names.find(',');
    absl::StatusOr<Dimension> dimension = ParseDimension(names.substr(0, comma));
    if (!dimension.ok()) return dimension.status();
    dimensions.push_back(*dimension);
    if (comma == std::string_view::npos) return dimensions;
    names.remove_prefix(comma + 1);
  }
}

std::string_view KeyOf(const RecordView& record, Dimension dimension, KeyBuffer& buffer) {
  if (IsOwn(dimension)) return OwnValue(record, dimension);
  if (const auto text = InfoOf(dimension).text; text != nullptr) return record.*text;
  switch (dimension) {
    case Dimension::kCacheHit:
      return CacheKey(record.cache_hit);
    case Dimension::kOutcome:
      return OutcomeKey(record.outcome);
    case Dimension::kStep:
      return NumberKey(record.step > 0 ? static_cast<uint64_t>(record.step) : 0, 10, buffer);
    case Dimension::kPolicy:
      return NumberKey(record.policy_revision, 16, buffer);
    case Dimension::kPrices:
      return NumberKey(record.price_revision, 16, buffer);
    default:
      return TimeKey(record.time_nanos, dimension, buffer);
  }
}

void AppendToKey(std::string_view value, std::string* key) { AppendPart<uint32_t>(value, key); }

std::vector<std::string> ValuesOfKey(std::string_view key) {
  std::vector<std::string> values;
  std::string_view value;
  while (TakePart<uint32_t>(&key, &value)) values.emplace_back(value);
  return values;
}

}  // namespace purser::ledger
