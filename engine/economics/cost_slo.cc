#include "engine/economics/cost_slo.h"

namespace purser::economics {
namespace {

// Over the `windows` last five minutes, the one under way included.
double BurnOver(const std::map<int64_t, Survey::Window>& all, int64_t last, int64_t windows, double target) {
  int64_t calls = 0, over = 0;
  for (auto at = all.upper_bound(last - windows); at != all.end(); ++at) {
    calls += at->second.calls;
    over += at->second.over;
  }
  return calls == 0 ? 0 : static_cast<double>(over) / static_cast<double>(calls) / (1 - target);
}

}  // namespace

std::vector<CostSlo> CostSlos(const Survey& survey) {
  std::vector<CostSlo> slos;
  const int64_t last = survey.span().empty() ? 0 : survey.span().last_nanos / Survey::kWindowNanos;
  for (const Economics::RequestClass& terms : survey.economics().classes) {
    const auto at = survey.windows().find(terms.name);
    if (!terms.slo_nanos || at == survey.windows().end()) continue;
    CostSlo slo;
    slo.request_class = terms.name;
    slo.limit_nanos = *terms.slo_nanos;
    slo.target = terms.slo_target;
    for (const auto& [time, window] : at->second) {
      slo.calls += window.calls;
      slo.over += window.over;
    }
    slo.burn_5m = BurnOver(at->second, last, 1, slo.target);
    slo.burn_30m = BurnOver(at->second, last, 6, slo.target);
    slo.burn_1h = BurnOver(at->second, last, 12, slo.target);
    slo.burn_6h = BurnOver(at->second, last, 72, slo.target);
    slos.push_back(std::move(slo));
  }
  return slos;
}

}  // namespace purser::economics
