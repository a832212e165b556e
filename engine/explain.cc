// The reasoning for one request as text.

#include "engine/routing/explain.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "engine/decide_scratch.h"
#include "engine/engine_impl.h"
#include "engine/request_fields.h"
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
                          std::string(pricing::NameOf(item.meter)), item.units, PricePerMillion(item.price),
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

std::string AccountAmount(budget::Dimension dimension, int64_t amount) {
  return dimension == budget::Dimension::kUsd ? absl::StrCat("$", FormatUsd(amount)) : absl::StrCat(amount);
}

void AppendAccounts(const budget::Plan& plan, const std::vector<budget::AccountView>& accounts,
                    std::string* out) {
  for (const budget::AccountView& account : accounts) {
    const budget::Budget& budget = plan.budgets()[account.budget];
    absl::StrAppend(out, "  ", budget.name, " of ", budget::KeyText(budget, account.key), "\n");
    for (int d = 0; d < budget::kDimensions; ++d) {
      const auto dimension = static_cast<budget::Dimension>(d);
      if (account.limits[dimension] == budget::kUnlimited) continue;
      const int64_t used = account.settled[dimension] + account.held[dimension] + account.presumed[dimension];
      absl::StrAppendFormat(out, "    %-14s %s of %s left (settled %s, held %s, presumed %s)\n",
                            std::string(budget::DimensionName(dimension)),
                            AccountAmount(dimension, account.limits[dimension] - used),
                            AccountAmount(dimension, account.limits[dimension]),
                            AccountAmount(dimension, account.settled[dimension]),
                            AccountAmount(dimension, account.held[dimension]),
                            AccountAmount(dimension, account.presumed[dimension]));
    }
    if (account.resets_at_nanos != budget::kForever) {
      absl::StrAppend(out, "    resets ",
                      absl::FormatTime(absl::RFC3339_sec, absl::FromUnixNanos(account.resets_at_nanos),
                                       absl::UTCTimeZone()),
                      "\n");
    }
  }
}

}  // namespace

std::string EngineImpl::Explain(const Request& request) {
  Decision decision;
  const Revision& revision = Pin(&decision);
  const int64_t now = Now(request);
  DecideScratch scratch;
  ReadTokens(revision, request, &scratch);
  ReadSignals(revision, revision.plan(), request, now, &scratch);
  decision.candidates.assign(revision.candidates().size(), CandidateOutcome{});
  revision.program().Evaluate(request, scratch.context, scratch.features, &scratch.verdict);
  FindCurrent(revision, request, &scratch);
  QuoteCandidates(revision, request, now, &scratch, &decision);
  routing::Choose(revision.program().choice_settings(), ChoiceContextOf(request, scratch), scratch.prices,
                  &scratch.verdict, &scratch.choice);

  std::string text = absl::StrCat("policy ", revision.policy().name(), " ", absl::Hex(revision.policy_hash()),
                                  ", prices ", absl::Hex(revision.price_hash()), "\n");
  absl::StrAppend(&text, "input ", scratch.context.input_tokens, " tokens",
                  scratch.counted_by_caller ? " (counted by the caller)" : " (estimated)", "\n");
  if (scratch.current >= 0)
    absl::StrAppend(&text, "served before by ", revision.candidates()[scratch.current].name, "\n");
  absl::StrAppend(&text, "\n");
  text += routing::Explain(revision.program(), request, scratch.context, scratch.features, scratch.verdict,
                           &scratch.choice)
              .ToString();

  absl::StrAppend(&text, "\nquotes\n");
  if (scratch.choice.count == 0) absl::StrAppend(&text, "  none\n");
  for (int rank = 0; rank < scratch.choice.count; ++rank) {
    const routing::Ranked& ranked = scratch.choice.ranked[rank];
    const Revision::Candidate& candidate = revision.candidates()[ranked.candidate];
    absl::StrAppendFormat(&text, "  %2d. %-30s expected $%s, at most $%s%s\n", rank + 1, candidate.name,
                          FormatUsd(ranked.expected_nanos), FormatUsd(ranked.worst_nanos),
                          ranked.batch ? " (batch)" : "");
    AppendRank(revision, scratch, ranked, &text);
    const pricing::Quote quote = pricing::MakeQuote(ranked.batch ? candidate.batch : candidate.priced,
                                                    scratch.QuoteInputOf(ranked.candidate));
    AppendQuote(quote, &text);
  }

  budget::Scope scope = ScopeOf(request);
  if (scratch.choice.count > 0) {
    const Revision::Candidate& first = revision.candidates()[scratch.choice.ranked[0].candidate];
    scope.provider = first.provider;
    scope.model = first.model;
  }
  const std::vector<budget::AccountView> accounts = accounts_->Inspect(revision.plan(), scope, now);
  absl::StrAppend(&text, "\naccounts\n");
  if (accounts.empty()) absl::StrAppend(&text, "  none\n");
  AppendAccounts(revision.plan(), accounts, &text);

  absl::StrAppend(&text, "\ndecision\n");
  if (scratch.choice.count == 0) {
    absl::StrAppend(&text, "  refused: ", revision.program().RefusalMessage(scratch.verdict), "\n");
  } else {
    const char* why = scratch.choice.explored       ? ": drawn to explore"
                      : scratch.choice.kept_current ? ": leaving it would save less than the switch margin"
                                                    : "";
    absl::StrAppend(&text, "  ", revision.candidates()[scratch.choice.ranked[0].candidate].name,
                    ", if its accounts have room", why, "\n");
  }
  return text;
}

}  // namespace purser
