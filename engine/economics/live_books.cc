#include "engine/economics/live_books.h"

#include <purser/live_books.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/economics/survey.h"
#include "policies/decimal.h"

namespace purser::economics {
namespace {

// As the exposition format wants a label's value.
std::string LabelText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

struct Metric {
  const char* name;
  const char* help;
  int64_t LiveBooks::Sums::*sum;
  bool is_usd;
};
constexpr Metric kMetrics[] = {
    {"cost_usd", "What calls cost", &LiveBooks::Sums::cost_nanos, true},
    {"default_cost_usd", "What the models asked for would have cost", &LiveBooks::Sums::default_cost_nanos,
     true},
    {"revenue_usd", "What calls earned", &LiveBooks::Sums::revenue_nanos, true},
    {"calls", "Calls settled and answered from the cache", &LiveBooks::Sums::calls, false},
    {"input_tokens", "Input tokens", &LiveBooks::Sums::input_tokens, false},
    {"output_tokens", "Output tokens", &LiveBooks::Sums::output_tokens, false},
    {"cache_hits", "Calls answered from the cache", &LiveBooks::Sums::cache_hits, false},
    {"failed_calls", "Calls that failed", &LiveBooks::Sums::failed_calls, false},
};

std::string ValueText(const Metric& metric, const LiveBooks::Sums& sums) {
  return ToPlainString({sums.*metric.sum, metric.is_usd ? -9 : 0});
}

// "own_experiment": names of metrics and labels are letters, digits and "_".
std::string MetricNameOf(ledger::Dimension dimension) {
  std::string name(NameOf(dimension));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || c == '-'; }, '_');
  return name;
}

}  // namespace

void LiveBooks::Sums::Add(const ledger::RecordView& record) {
  ++calls;
  input_tokens += record.input_tokens;
  output_tokens += record.output_tokens;
  cost_nanos += record.cost_nanos;
  default_cost_nanos += record.default_cost_nanos;
  revenue_nanos += record.revenue_nanos.value_or(0);
  cache_hits += record.cache_hit != ledger::CACHE_NONE;
  failed_calls += record.outcome == ledger::FAILED || record.outcome == ledger::ERRORED ||
                  record.outcome == ledger::TIMED_OUT;
}

void LiveBooks::Sums::Add(const Sums& other) {
  calls += other.calls;
  input_tokens += other.input_tokens;
  output_tokens += other.output_tokens;
  cost_nanos += other.cost_nanos;
  default_cost_nanos += other.default_cost_nanos;
  revenue_nanos += other.revenue_nanos;
  cache_hits += other.cache_hits;
  failed_calls += other.failed_calls;
}

LiveBooks::LiveBooks(Options options) : options_(std::move(options)) {
  for (const auto& by : options_.by) kept_.push_back({by, {}, {}, 0});
  for (const Economics::RequestClass& terms : options_.economics.classes) {
    if (!terms.slo_nanos) continue;
    objectives_.emplace_back();
    objectives_.back().terms = terms;
  }
}

void LiveBooks::Add(const ledger::RecordView& record) {
  Alert alert;
  Anomaly anomaly;
  bool send = false, send_anomaly = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    total_.Add(record);
    ledger::KeyBuffer buffer;
    for (Kept& kept : kept_) {
      key_.clear();
      for (const ledger::Dimension dimension : kept.by)
        ledger::AppendToKey(KeyOf(record, dimension, buffer), &key_);
      const auto at = kept.keys.find(key_);
      if (at != kept.keys.end()) {
        at->second.Add(record);
        continue;
      }
      if (kept.keys.size() >= 2 * std::max<size_t>(options_.max_keys, 1)) Fold(&kept);
      kept.keys[key_].Add(record);
    }
    send = Watch(record, &alert);
    send_anomaly = options_.on_anomaly && WatchHours(record, &anomaly);
  }
  if (send && options_.on_alert) options_.on_alert(alert);
  if (send_anomaly) options_.on_anomaly(anomaly);
}

// The most expensive max_keys stay.
void LiveBooks::Fold(Kept* kept) {
  std::vector<std::pair<int64_t, std::string>> by_cost;
  for (const auto& [key, sums] : kept->keys) by_cost.emplace_back(sums.cost_nanos, key);
  const auto stay = static_cast<std::ptrdiff_t>(std::max<size_t>(options_.max_keys, 1));
  std::nth_element(by_cost.begin(), by_cost.begin() + stay, by_cost.end(), std::greater<>());
  for (auto one = by_cost.begin() + stay; one != by_cost.end(); ++one) {
    const auto at = kept->keys.find(one->second);
    kept->tail.Add(at->second);
    kept->keys.erase(at);
    ++kept->folded;
  }
}

void LiveBooks::Objective::Advance(int64_t window) {
  if (window <= last_window) return;
  const int64_t from =
      last_window == INT64_MIN || window - last_window > kWindows ? window - kWindows : last_window;
  for (int64_t stale = from + 1; stale <= window; ++stale) {
    calls[((stale % kWindows) + kWindows) % kWindows] = 0;
    over[((stale % kWindows) + kWindows) % kWindows] = 0;
  }
  last_window = window;
}

double LiveBooks::Objective::BurnOver(int windows) const {
  int64_t all = 0, expensive = 0;
  for (int64_t window = last_window; window > last_window - windows; --window) {
    all += calls[((window % kWindows) + kWindows) % kWindows];
    expensive += over[((window % kWindows) + kWindows) % kWindows];
  }
  return all == 0 ? 0 : static_cast<double>(expensive) / static_cast<double>(all) / (1 - terms.slo_target);
}

bool LiveBooks::Watch(const ledger::RecordView& record, Alert* alert) {
  const std::string_view name = record.request_class.empty() ? record.use_case : record.request_class;
  for (Objective& objective : objectives_) {
    if (objective.terms.name != name) continue;
    const int64_t time = std::max(record.time_nanos, record.settled_nanos);
    const int64_t window = time / Survey::kWindowNanos;
    objective.Advance(window);
    if (window <= objective.last_window - Objective::kWindows) return false;  // Six hours late.
    ++objective.calls[window % Objective::kWindows];
    if (record.cost_nanos <= *objective.terms.slo_nanos) return false;
    ++objective.over[window % Objective::kWindows];
    const double hour = objective.BurnOver(12), six_hours = objective.BurnOver(72);
    const bool fast = hour > CostSlo::kFastBurn && objective.BurnOver(1) > CostSlo::kFastBurn;
    const bool slow = six_hours > CostSlo::kSlowBurn && objective.BurnOver(6) > CostSlo::kSlowBurn;
    if (!fast && !slow) return false;
    const bool quiet = time < objective.quiet_after_nanos;
    objective.quiet_after_nanos = time + kNanosPerHour;
    *alert = {objective.terms.name, fast, fast ? hour : six_hours, time};
    return !quiet;
  }
  return false;
}

bool LiveBooks::WatchHours(const ledger::RecordView& record, Anomaly* anomaly) {
  const std::string_view name = record.request_class.empty() ? record.use_case : record.request_class;
  auto at = hours_.find(name);
  if (at == hours_.end()) {
    if (hours_.size() == kMaxClasses) return false;
    using ledger::Dimension;
    at = hours_
             .try_emplace(std::string(name),
                          std::vector<Dimension>{Dimension::kCustomer, Dimension::kModel, Dimension::kFeature,
                                                 Dimension::kRelease, Dimension::kTask, Dimension::kTeam})
             .first;
  }
  if (!at->second.Add(record, anomaly)) return false;
  anomaly->request_class = at->first;
  return true;
}

LiveBooks::Sums LiveBooks::Total() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return total_;
}

std::vector<LiveBooks::Row> LiveBooks::Rows(const std::vector<ledger::Dimension>& by) const {
  std::vector<Row> rows;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Kept& kept : kept_) {
    if (kept.by != by) continue;
    for (const auto& [key, sums] : kept.keys) rows.push_back({ledger::ValuesOfKey(key), sums});
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      return a.sums.cost_nanos != b.sums.cost_nanos ? a.sums.cost_nanos > b.sums.cost_nanos
                                                    : a.values < b.values;
    });
    if (kept.folded > 0) rows.push_back({std::vector<std::string>(by.size(), kTail), kept.tail});
    break;
  }
  return rows;
}

std::string LiveBooks::Prometheus() const {
  std::string text;
  const Sums total = Total();
  for (const Metric& metric : kMetrics) {
    absl::StrAppend(&text, "# HELP purser_", metric.name, "_total ", metric.help, ".\n# TYPE purser_",
                    metric.name, "_total counter\npurser_", metric.name, "_total ", ValueText(metric, total),
                    "\n");
  }
  for (const auto& by : options_.by) {
    const std::vector<Row> rows = Rows(by);
    std::string all;  // "day_and_model"
    for (const ledger::Dimension dimension : by) {
      absl::StrAppend(&all, all.empty() ? "" : "_and_", MetricNameOf(dimension));
    }
    for (const Metric& metric : kMetrics) {
      const std::string name = absl::StrCat("purser_", metric.name, "_by_", all, "_total");
      absl::StrAppend(&text, "# HELP ", name, " ", metric.help, ", by ", all, ".\n# TYPE ", name,
                      " counter\n");
      for (const Row& row : rows) {
        std::string labels;
        for (size_t i = 0; i < by.size(); ++i) {
          absl::StrAppend(&labels, i == 0 ? "" : ",", MetricNameOf(by[i]), "=\"", LabelText(row.values[i]),
                          "\"");
        }
        absl::StrAppend(&text, name, "{", labels, "} ", ValueText(metric, row.sums), "\n");
      }
    }
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (objectives_.empty()) return text;
  text +=
      "# HELP purser_slo_burn_rate Expensive requests over those that the class's cost objective allows.\n"
      "# TYPE purser_slo_burn_rate gauge\n";
  for (const Objective& objective : objectives_) {
    for (const auto& [window, windows] : {std::pair("5m", 1), {"30m", 6}, {"1h", 12}, {"6h", 72}}) {
      absl::StrAppendFormat(&text, "purser_slo_burn_rate{request_class=\"%s\",window=\"%s\"} %.4f\n",
                            LabelText(objective.terms.name), window, objective.BurnOver(windows));
    }
  }
  return text;
}

}  // namespace purser::economics

namespace purser {

LiveBooks::LiveBooks(std::unique_ptr<economics::LiveBooks> books) : books_(std::move(books)) {}
LiveBooks::~LiveBooks() = default;

absl::StatusOr<std::unique_ptr<LiveBooks>> LiveBooks::Create(const Options& options) {
  economics::LiveBooks::Options inner;
  inner.by.clear();
  for (const std::vector<std::string>& names : options.by) {
    std::vector<ledger::Dimension>& dimensions = inner.by.emplace_back();
    for (const std::string& name : names) {
      const absl::StatusOr<ledger::Dimension> dimension = ledger::ParseDimension(name);
      if (!dimension.ok()) return dimension.status();
      dimensions.push_back(*dimension);
    }
  }
  inner.max_keys = options.max_keys;
  if (!options.economics_file.empty()) {
    absl::StatusOr<economics::Economics> terms = economics::Economics::Load(options.economics_file);
    if (!terms.ok()) return terms.status();
    inner.economics = *std::move(terms);
  }
  if (options.on_burn != nullptr) {
    inner.on_alert = [on_burn = options.on_burn](const economics::LiveBooks::Alert& alert) {
      on_burn({.request_class = alert.request_class,
               .fast = alert.fast,
               .burn_rate = alert.burn_rate,
               .time_nanos = alert.time_nanos});
    };
  }
  if (options.on_anomaly != nullptr) {
    inner.on_anomaly = [on_anomaly = options.on_anomaly](const economics::Anomaly& anomaly) {
      std::string cause;
      if (!anomaly.causes.empty())
        cause = absl::StrCat(anomaly.causes[0].dimension, " ", anomaly.causes[0].value);
      on_anomaly({.request_class = anomaly.request_class,
                  .hour_nanos = anomaly.hour * int64_t{3600} * 1'000'000'000,
                  .cost_nanos = anomaly.cost_nanos,
                  .usual_nanos = anomaly.usual_nanos,
                  .cause = std::move(cause)});
    };
  }
  return std::unique_ptr<LiveBooks>(new LiveBooks(std::make_unique<economics::LiveBooks>(std::move(inner))));
}

std::string LiveBooks::Prometheus() const { return books_->Prometheus(); }

}  // namespace purser
