#include "engine/calls/refusal_text.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "policies/amount.h"

namespace purser {
namespace {

std::string ShortageText(const budget::Plan& plan, const budget::Shortage& shortage, int64_t tokens_to_drop) {
  const budget::Budget& budget = plan.budgets()[shortage.budget];
  const auto amount = [&](int64_t value) { return budget::AmountText(shortage.dimension, value); };
  const bool money = shortage.dimension == budget::Dimension::kUsd;
  std::string text =
      absl::StrCat("budget \"", budget.name, "\" of ", budget::KeyText(budget, shortage.key), ": ",
                   amount(shortage.settled), " of ",
                   budget::AmountWithUnit(shortage.dimension, shortage.limit), money ? " spent" : " used");
  if (shortage.held != 0) absl::StrAppend(&text, ", ", amount(shortage.held), " held");
  if (shortage.presumed != 0) absl::StrAppend(&text, ", ", amount(shortage.presumed), " presumed spent");
  absl::StrAppend(&text, "; this call could ", money ? "cost" : "use", " up to ", amount(shortage.asked));
  if (shortage.overrun) absl::StrAppend(&text, "; a provider billed more than was held");
  if (shortage.resets_at_nanos != budget::kForever) {
    absl::StrAppend(&text, "; resets ",
                    absl::FormatTime(absl::RFC3339_sec, absl::FromUnixNanos(shortage.resets_at_nanos),
                                     absl::UTCTimeZone()));
  }
  if (tokens_to_drop > 0) absl::StrAppend(&text, "; ", tokens_to_drop, " input tokens fewer would fit");
  return text;
}

std::string GuardText(const budget::GuardTrip& trip) {
  const auto seconds = [](int64_t nanos) { return absl::FormatDuration(absl::Nanoseconds(nanos)); };
  switch (trip.guard) {
    case budget::Guard::kSteps:
      return absl::StrCat("step ", trip.value, " of a task that may have ", trip.limit);
    case budget::Guard::kDepth:
      return absl::StrCat("a sub-agent at depth ", trip.value, ", where ", trip.limit, " is the limit");
    case budget::Guard::kWallTime:
      return absl::StrCat("the task runs for ", seconds(trip.value), ", longer than ", seconds(trip.limit));
    case budget::Guard::kRetries:
      return absl::StrCat("retry ", trip.value, " of one step that may have ", trip.limit);
    case budget::Guard::kRepeats:
      return absl::StrCat("the same call for the ", trip.value, "th time, where ", trip.limit,
                          " times are allowed");
    case budget::Guard::kCost:
      return absl::StrCat("the task would cost $", FormatUsd(trip.value), ", above $", FormatUsd(trip.limit),
                          ", its multiple of one plain completion");
  }
  return "";
}

}  // namespace

void RefusalText(const budget::Plan& plan, const budget::HoldResult& refused, int64_t tokens_to_drop,
                 std::string* text) {
  switch (refused.status) {
    case budget::HoldStatus::kShort:
      *text = ShortageText(plan, refused.shortage, tokens_to_drop);
      return;
    case budget::HoldStatus::kGuard:
      *text = absl::StrCat("loop guard ", std::string(budget::GuardName(refused.guard.guard)), ": ",
                           GuardText(refused.guard));
      return;
    case budget::HoldStatus::kMissingValue:
      *text = absl::StrCat("budget \"", plan.budgets()[refused.shortage.budget].name,
                           "\" is required, and the request lacks a value of its key");
      return;
    case budget::HoldStatus::kEnded:
      *text = "the task or session has ended";
      return;
    case budget::HoldStatus::kBadParent:
      *text = "the task's parent would close a circle, or the task tree is too deep";
      return;
    case budget::HoldStatus::kTooManyHolds:
      *text = "too many calls are pending; settle or void those that ended";
      return;
    case budget::HoldStatus::kTooManyAccounts:
      *text = "the call would draw on too many accounts";
      return;
    case budget::HoldStatus::kUnknownTicket:
      *text = "the ticket is not pending";
      return;
    case budget::HoldStatus::kHeld:
      text->clear();
      return;
  }
}

}  // namespace purser
