// What a request draws on, and the whole reasoning for it.

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/calls/decide_scratch.h"
#include "engine/calls/engine_impl.h"
#include "engine/calls/rank.h"
#include "engine/calls/request_limits.h"
#include "engine/revision/request_fields.h"
#include "engine/routing/explain.h"
#include "policies/amount.h"

namespace purser {
namespace {

std::string PricePerMillion(const pricing::UnitPrice& price) {
  const double dollars = static_cast<double>(price.numerator) / static_cast<double>(price.denominator) / 1e9;
  return absl::StrFormat("$%.6g", dollars * 1e6);
}

// "  input_tokens            1278 x $2.5/M = $0.003195      worst 1320: $0.0033"
void AppendQuote(const pricing::Quote& quote, std::string* out) {
  for (const pricing::QuoteItem& item : quote.items()) {
    absl::StrAppendFormat(out, "      %-22s %9d x %s/M = $%s; at most %d x %s/M = $%s\n",
                          std::string(NameOf(item.meter)), item.units, PricePerMillion(item.price),
                          FormatUsd(item.nanos), item.most_units, PricePerMillion(item.most_price),
                          FormatUsd(item.most_nanos));
  }
}

// What the order counts beside the cost, if anything.
void AppendRank(const Revision& revision, const DecideScratch& scratch, const routing::Ranked& ranked,
                std::string* out) {
  const routing::Price& price = scratch.prices[ranked.candidate];
  if (!price.known || ranked.ranked_nanos == ranked.expected_nanos) return;
  std::vector<std::string> with;
  if (revision.program().choice_settings().nanos_per_second > 0 && price.p50_ms > 0 && !ranked.batch)
    with.push_back(absl::StrCat("its ", price.p50_ms, " ms"));
  if (scratch.current >= 0 && scratch.current != ranked.candidate)
    with.push_back(
        absl::StrCat("what leaving ", revision.candidates()[scratch.current].name, " has to save"));
  absl::StrAppend(out, "      counts as $", FormatUsd(ranked.ranked_nanos), " with ",
                  absl::StrJoin(with, " and "), "\n");
}

void AppendAccounts(const std::vector<AccountStatus>& accounts, std::string* out) {
  for (const AccountStatus& account : accounts) {
    absl::StrAppend(out, "  ", account.budget, " of ", account.key, "\n");
    for (const AccountStatus::Limit& limit : account.limits) {
      const auto amount = [&](int64_t value) { return budget::AmountText(limit.dimension, value); };
      absl::StrAppendFormat(out, "    %-14s %s of %s left (settled %s, held %s, presumed %s)\n",
                            limit.dimension, amount(limit.headroom()), amount(limit.limit),
                            amount(limit.settled), amount(limit.held), amount(limit.presumed));
    }
    if (account.resets_at_nanos != 0) {
      absl::StrAppend(out, "    resets ",
                      absl::FormatTime(absl::RFC3339_sec, absl::FromUnixNanos(account.resets_at_nanos),
                                       absl::UTCTimeZone()),
                      "\n");
    }
  }
}

std::vector<AccountStatus> StatusOf(const budget::Plan& plan,
                                    const std::vector<budget::AccountView>& accounts) {
  std::vector<AccountStatus> all;
  for (const budget::AccountView& account : accounts) {
    const budget::Budget& budget = plan.budgets()[account.budget];
    AccountStatus& status = all.emplace_back();
    status.budget = budget.name;
    status.key = budget::KeyText(budget, account.key);
    status.level = account.level;
    status.overrun = account.overrun;
    if (account.resets_at_nanos != budget::kForever) status.resets_at_nanos = account.resets_at_nanos;
    for (int d = 0; d < budget::kDimensions; ++d) {
      const auto dimension = static_cast<budget::Dimension>(d);
      if (account.limits[dimension] == budget::kUnlimited) continue;
      status.limits.push_back({.dimension = std::string(budget::DimensionName(dimension)),
                               .limit = account.limits[dimension],
                               .settled = account.settled[dimension],
                               .held = account.held[dimension],
                               .presumed = account.presumed[dimension]});
    }
  }
  return all;
}

budget::Scope ScopeOfBest(const Revision& revision, const Request& request, const DecideScratch& scratch) {
  budget::Scope scope = ScopeOf(request);
  if (scratch.choice.count == 0) return scope;
  const Revision::Candidate& best = revision.candidates()[scratch.choice.ranked[0].candidate];
  scope.provider = best.provider;
  scope.model = best.model;
  return scope;
}

// The quotes of the candidates that passed, best first, item by item.
void AppendQuotes(const Revision& revision, const DecideScratch& scratch, std::string* out) {
  absl::StrAppend(out, "\nquotes\n");
  if (scratch.choice.count == 0) absl::StrAppend(out, "  none\n");
  for (int rank = 0; rank < scratch.choice.count; ++rank) {
    const routing::Ranked& ranked = scratch.choice.ranked[rank];
    const Revision::Candidate& candidate = revision.candidates()[ranked.candidate];
    absl::StrAppendFormat(out, "  %2d. %-30s expected $%s, at most $%s%s\n", rank + 1, candidate.name,
                          FormatUsd(ranked.expected_nanos), FormatUsd(ranked.worst_nanos),
                          ranked.batch ? " (batch)" : "");
    AppendRank(revision, scratch, ranked, out);
    AppendQuote(pricing::MakeQuote(ranked.batch ? candidate.batch : candidate.priced,
                                   scratch.QuoteInputOf(ranked.candidate)),
                out);
  }
}

void AppendDecision(const Revision& revision, const DecideScratch& scratch, std::string* out) {
  absl::StrAppend(out, "\ndecision\n");
  if (scratch.choice.count == 0) {
    absl::StrAppend(out, "  refused: ", revision.program().RefusalMessage(scratch.verdict), "\n");
    return;
  }
  const char* why = scratch.choice.explored       ? ": drawn to explore"
                    : scratch.choice.kept_current ? ": leaving it would save less than the switch margin"
                                                  : "";
  absl::StrAppend(out, "  ", revision.candidates()[scratch.choice.ranked[0].candidate].name,
                  ", if its accounts have room", why, "\n");
}

std::vector<Explanation::Candidate> CandidatesOf(const Revision& revision, const DecideScratch& scratch,
                                                 const routing::Explanation& reasons) {
  std::vector<Explanation::Candidate> candidates;
  for (size_t i = 0; i < revision.candidates().size(); ++i) {
    Explanation::Candidate& candidate = candidates.emplace_back();
    candidate.name = revision.candidates()[i].name;
    if (i < reasons.candidates.size()) candidate.why_not = reasons.candidates[i].reason;
    if (!scratch.quoted.Has(static_cast<int>(i))) continue;
    candidate.expected_nanos = scratch.prices[i].expected_nanos;
    candidate.worst_nanos = scratch.prices[i].worst_nanos;
  }
  for (int rank = 0; rank < scratch.choice.count; ++rank) {
    const routing::Ranked& ranked = scratch.choice.ranked[rank];
    Explanation::Candidate& candidate = candidates[ranked.candidate];
    candidate.rank = rank + 1;
    candidate.why_not.clear();
    candidate.expected_nanos = ranked.expected_nanos;
    candidate.worst_nanos = ranked.worst_nanos;
    candidate.batch = ranked.batch;
  }
  return candidates;
}

}  // namespace

std::vector<AccountStatus> EngineImpl::Accounts(const Request& request) {
  if (!own_.here()) return {};
  if (std::string beyond; !CheckLimits(request, &beyond)) return {};
  Decision decision;
  const Revision& revision = Pin(&decision);
  const int64_t now = Now(request);
  DecideScratch scratch;
  RankCandidates(revision, StateFor(revision.plan()), request, now, &scratch);
  return StatusOf(revision.plan(),
                  accounts_->Inspect(revision.plan(), ScopeOfBest(revision, request, scratch), now));
}

Explanation EngineImpl::Explain(const Request& request) {
  Explanation refused;
  if (!own_.here()) {
    refused.refusal = refused.text = std::string(Forked().message());
    return refused;
  }
  if (!CheckLimits(request, &refused.refusal)) {
    refused.text = absl::StrCat("decision\n  refused: ", refused.refusal, "\n");
    return refused;
  }
  Decision decision;
  const Revision& revision = Pin(&decision);
  const int64_t now = Now(request);
  DecideScratch scratch;
  RankCandidates(revision, StateFor(revision.plan()), request, now, &scratch);

  std::string text = absl::StrCat("policy ", revision.policy().name(), " ", absl::Hex(revision.policy_hash()),
                                  ", prices ", absl::Hex(revision.price_hash()), "\n");
  absl::StrAppend(&text, "input ", scratch.context.input_tokens, " tokens",
                  scratch.counted_by_caller ? " (counted by the caller)" : " (estimated)", "\n");
  if (scratch.current >= 0)
    absl::StrAppend(&text, "served before by ", revision.candidates()[scratch.current].name, "\n");
  absl::StrAppend(&text, "\n");
  const routing::Explanation reasons = routing::Explain(revision.program(), request, scratch.context,
                                                        scratch.features, scratch.verdict, &scratch.choice);
  text += reasons.ToString();
  AppendQuotes(revision, scratch, &text);

  Explanation explanation;
  explanation.candidates = CandidatesOf(revision, scratch, reasons);
  explanation.refusal = scratch.choice.count == 0 ? revision.program().RefusalMessage(scratch.verdict) : "";
  explanation.accounts = StatusOf(
      revision.plan(), accounts_->Inspect(revision.plan(), ScopeOfBest(revision, request, scratch), now));
  absl::StrAppend(&text, "\naccounts\n");
  if (explanation.accounts.empty()) absl::StrAppend(&text, "  none\n");
  AppendAccounts(explanation.accounts, &text);
  AppendDecision(revision, scratch, &text);
  explanation.text = std::move(text);
  return explanation;
}

}  // namespace purser
