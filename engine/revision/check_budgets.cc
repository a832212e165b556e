#include "engine/revision/check_budgets.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "engine/pricing/quote.h"
#include "policies/amount.h"

namespace purser {
namespace {

// The least that one call is expected to use.
struct LeastCall {
  int64_t nanos = std::numeric_limits<int64_t>::max();
  int64_t output_tokens = std::numeric_limits<int64_t>::max();
  std::string_view candidate;
};

bool IsFor(const budget::Budget& budget, const Revision::Candidate& candidate) {
  return std::all_of(
      budget.only_for.begin(), budget.only_for.end(), [&](const budget::Budget::Filter& filter) {
        const auto names = [&](std::string_view value) {
          return std::find(filter.values.begin(), filter.values.end(), value) != filter.values.end();
        };
        if (filter.field == budget::Field::kProvider) return names(candidate.provider);
        if (filter.field == budget::Field::kModel) return names(candidate.model);
        return true;  // Of the request: some request matches.
      });
}

int64_t ExpectedOutput(const Revision& revision, const Revision::Candidate& candidate) {
  int64_t tokens = candidate.expected_output_tokens > 0 ? candidate.expected_output_tokens
                                                        : revision.expected_output_tokens();
  for (const policy::RequestClass& request_class : revision.policy().request_classes()) {
    if (request_class.expected_output_tokens() > 0)
      tokens = std::min<int64_t>(tokens, request_class.expected_output_tokens());
  }
  return candidate.max_output_tokens > 0 ? std::min(tokens, candidate.max_output_tokens) : tokens;
}

LeastCall FindLeastCall(const Revision& revision, const budget::Budget& budget, int64_t now_nanos) {
  LeastCall least;
  for (const Revision::Candidate& candidate : revision.candidates()) {
    if (!IsFor(budget, candidate)) continue;
    pricing::QuoteInput input;
    input.input_tokens = input.most_input_tokens = 1;
    input.output_tokens = input.most_output_tokens = ExpectedOutput(revision, candidate);
    input.time_nanos = now_nanos;
    least.output_tokens = std::min(least.output_tokens, input.output_tokens);
    for (const pricing::PricedCandidate& priced : {candidate.priced, candidate.batch}) {
      if (priced.prices == nullptr) continue;
      const pricing::QuoteTotals quote = pricing::MakeQuoteTotals(priced, input);
      if (!quote.priced || quote.expected_nanos >= least.nanos) continue;
      least.nanos = quote.expected_nanos;
      least.candidate = candidate.name;
    }
  }
  return least;
}

}  // namespace

void WarnOfBudgetsBelowACall(const Revision& revision, int64_t now_nanos, Diagnostics* diagnostics) {
  using budget::Dimension;
  const auto& budgets = revision.plan().budgets();
  if (static_cast<int>(budgets.size()) != revision.policy().budgets_size()) return;  // Errors have been told.
  for (size_t i = 0; i < budgets.size(); ++i) {
    const budget::Budget& budget = budgets[i];
    const LeastCall least = FindLeastCall(revision, budget, now_nanos);
    const auto warn = [&](Dimension dimension, const std::string& call) {
      diagnostics->Warning(
          absl::StrCat("budgets[", i, "].", std::string(budget::DimensionName(dimension))),
          absl::StrCat("the budget \"", budget.name, "\" is smaller than its cheapest call: ", call));
    };
    if (!least.candidate.empty() && budget.limits[Dimension::kUsd] < least.nanos) {
      warn(Dimension::kUsd, absl::StrCat("an answer of ordinary length by ", std::string(least.candidate),
                                         " costs $", FormatUsd(least.nanos)));
    }
    for (const Dimension dimension : {Dimension::kTokens, Dimension::kOutputTokens}) {
      if (budget.limits[dimension] >= least.output_tokens || revision.candidates().empty()) continue;
      warn(dimension, absl::StrCat("an answer of ordinary length has ", least.output_tokens, " tokens"));
    }
  }
}

}  // namespace purser
