#include "engine/budget/plan.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/reflection.h"
#include "policies/amount.h"
#include "policies/duration.h"

namespace purser::budget {
namespace {

std::string NameOf(Field field) {
  if (field == Field::kProvider) return "provider";
  if (field == Field::kModel) return "model";
  return std::string(kRequestDimensions[static_cast<size_t>(field)].name);
}

// Those that a budget may name.
const std::vector<Field>& AllFields() {
  static const std::vector<Field>& all = *[] {
    auto* fields = new std::vector<Field>;
    for (size_t i = 0; i < kFields; ++i) {
      if (i >= kRequestDimensionCount || kRequestDimensions[i].in_budgets)
        fields->push_back(static_cast<Field>(i));
    }
    return fields;
  }();
  return all;
}

std::optional<Field> FieldNamed(const std::string& name) {
  for (const Field field : AllFields()) {
    if (NameOf(field) == name) return field;
  }
  return std::nullopt;
}

// "{tenant}, {customer} ... or {model}": what a key may name.
std::string KeyFields() {
  std::string text;
  for (const Field field : AllFields()) {
    if (field == Field::kTask) continue;
    absl::StrAppend(&text,
                    text.empty()             ? ""
                    : field == Field::kModel ? " or "
                                             : ", ",
                    "{", NameOf(field), "}");
  }
  return text;
}

constexpr int kMaxLevels = 16;

struct ScopeFields {
  policy::Budget::Scope scope;
  std::vector<Field> fields;
};
const std::vector<ScopeFields>& Scopes() {
  using policy::Budget;
  static const std::vector<ScopeFields>& scopes = *new std::vector<ScopeFields>{
      {Budget::TASK, {Field::kTenant, Field::kTask}},
      {Budget::SESSION, {Field::kTenant, Field::kSession}},
      {Budget::CUSTOMER, {Field::kTenant, Field::kCustomer}},
      {Budget::TEAM, {Field::kTenant, Field::kTeam}},
      {Budget::FEATURE, {Field::kTenant, Field::kFeature}},
      {Budget::TENANT, {Field::kTenant}},
      {Budget::GLOBAL, {}},
      {Budget::PROVIDER, {Field::kProvider}},
      {Budget::MODEL, {Field::kModel}},
  };
  return scopes;
}

bool Reads(const Budget& budget, Field field) {
  if (std::find(budget.key.begin(), budget.key.end(), field) != budget.key.end()) return true;
  return std::any_of(budget.only_for.begin(), budget.only_for.end(),
                     [&](const Budget::Filter& filter) { return filter.field == field; });
}

}  // namespace

Plan Plan::Only(const std::vector<std::string_view>& names) const {
  Plan only = *this;
  only.budgets_.clear();
  only.index_by_id_.clear();
  only.waived_from_start_ = 0;
  for (size_t i = 0; i < budgets_.size(); ++i) {
    if (std::find(names.begin(), names.end(), budgets_[i].name) == names.end()) continue;
    only.waived_from_start_ |= (waived_from_start_ >> i & 1) << only.budgets_.size();
    only.budgets_.push_back(budgets_[i]);
  }
  return only;
}

// One pass over the policy; every mistake becomes a diagnostic and is passed over.
class PlanCompiler {
 public:
  PlanCompiler(const policy::Policy& policy, Diagnostics* diagnostics)
      : policy_(policy), diagnostics_(*diagnostics) {}

  Plan Compile() {
    if (policy_.budgets_size() > kMaxBudgets) {
      diagnostics_.Error("", absl::StrCat("the policy has ", policy_.budgets_size(), " budgets; at most ",
                                          kMaxBudgets, " are supported"));
    }
    for (int i = 0; i < policy_.budgets_size(); ++i)
      AddBudget(policy_.budgets(i), absl::StrCat("budgets[", i, "]"));
    CheckLegs();
    CompileLifetimes();
    CompileGuards();
    plan_.follows_tasks_ = policy_.has_loop_guards();
    for (size_t i = 0; i < plan_.budgets_.size(); ++i) {
      const Budget& budget = plan_.budgets_[i];
      plan_.follows_tasks_ |= budget.per_task;
      plan_.hold_quantile_ = std::max(plan_.hold_quantile_, budget.quantile);
      if (budget.when_short[0] == policy::Budget::WARN_ONLY && i < kMaxBudgets)
        plan_.waived_from_start_ |= uint64_t{1} << i;
    }
    return std::move(plan_);
  }

 private:
  void AddBudget(const policy::Budget& source, const std::string& path) {
    Budget budget;
    budget.name = source.name();
    if (source.name().empty()) {
      diagnostics_.Error(path,
                         "the budget has no name; expected name: \"...\" (its accounts are kept by it)");
    } else if (!names_.emplace(source.name(), plan_.budgets_.size()).second) {
      diagnostics_.Error(path + ".name", absl::StrCat("a second budget named \"", source.name(),
                                                      "\"; expected another name: accounts are kept by it"));
    }
    CompileKey(source, path, &budget);
    CompileFilter(source.only_for(), path + ".only_for", &budget);
    budget.per_candidate = Reads(budget, Field::kProvider) || Reads(budget, Field::kModel);
    budget.required = source.required();
    if (budget.required && budget.key.empty())
      diagnostics_.Warning(path + ".required",
                           "a budget for everything needs no value; required does nothing");
    CompileLimits(source, path, &budget);
    CompileWindow(source.window(), path + ".window", &budget.window);
    budget.window_fingerprint = budget.window.Fingerprint();
    CompileWarnings(source, path, &budget);
    CompileActions(source, path, &budget);
    CompileHold(source.hold(), path + ".hold", &budget);
    if (!source.forget_after().empty()) {
      budget.forget_after_nanos = Duration(source.forget_after(), path + ".forget_after", 0);
      if (budget.per_task || budget.per_session) {
        diagnostics_.Error(path + ".forget_after",
                           "tasks and sessions are forgotten by budget_settings.task_ends_after "
                           "and session_ends_after");
      }
    }
    LintTwins(budget, path);
    plan_.budgets_.push_back(std::move(budget));
  }

  void CompileKey(const policy::Budget& source, const std::string& path, Budget* budget) {
    const bool has_scope = source.scope() != policy::Budget::SCOPE_UNSPECIFIED;
    if (has_scope == !source.key().empty()) {
      diagnostics_.Error(
          path, absl::StrCat("the budget ", has_scope ? "has both scope and key" : "says not whose it is",
                             "; expected either a scope (scope: CUSTOMER) or a template (key: "
                             "\"{tenant}/{customer}\")"));
      return;
    }
    if (has_scope) {
      for (const ScopeFields& entry : Scopes()) {
        if (entry.scope == source.scope()) budget->key = entry.fields;
      }
      budget->per_task = source.scope() == policy::Budget::TASK;
      budget->per_session = source.scope() == policy::Budget::SESSION;
    } else {
      CompileTemplate(source.key(), path + ".key", budget);
    }
  }

  void CompileTemplate(const std::string& text, const std::string& path, Budget* budget) {
    for (size_t at = 0; at < text.size();) {
      if (text[at] == '}') {
        diagnostics_.Error(path, absl::StrCat("\"", text, "\" has a } without a {"));
        return;
      }
      if (text[at] != '{') {
        ++at;
        continue;
      }
      const size_t end = text.find('}', at);
      if (end == std::string::npos) {
        diagnostics_.Error(path, absl::StrCat("\"", text, "\" has a { without a }"));
        return;
      }
      AddTemplateField(text.substr(at + 1, end - at - 1), path, budget);
      at = end + 1;
    }
    if (budget->key.empty()) {
      diagnostics_.Error(path,
                         absl::StrCat("\"", text,
                                      "\" names no field; expected for instance "
                                      "\"{tenant}/{customer}\" (one account for everything: scope: GLOBAL)"));
    }
    if (budget->key.size() > kMaxKeyFields)
      diagnostics_.Error(path, absl::StrCat("more than ", kMaxKeyFields, " fields in one key"));
    budget->per_session = budget->key == std::vector<Field>{Field::kTenant, Field::kSession};
  }

  void AddTemplateField(const std::string& name, const std::string& path, Budget* budget) {
    const std::optional<Field> field = FieldNamed(name);
    if (!field) {
      diagnostics_.Error(path, absl::StrCat("\"{", name, "}\" is no field; expected ", KeyFields()));
    } else if (field == Field::kTask) {
      diagnostics_.Error(path,
                         "a task's budget follows its tree; expected scope: TASK instead of \"{task}\"");
    } else if (std::find(budget->key.begin(), budget->key.end(), *field) != budget->key.end()) {
      diagnostics_.Error(path, absl::StrCat("\"{", name, "}\" is there twice"));
    } else {
      budget->key.push_back(*field);
    }
  }

  void CompileFilter(const policy::BudgetFilter& source, const std::string& path, Budget* budget) {
    const auto add = [&](Field field, const auto& values) {
      if (!values.empty()) budget->only_for.push_back({field, {values.begin(), values.end()}});
    };
    // A field that has a list of its own: "tenants", "use_cases" ...
    for (const Field field : AllFields()) {
      const auto* list = policy::BudgetFilter::descriptor()->FindFieldByName(NameOf(field) + "s");
      if (list == nullptr) continue;
      add(field, source.GetReflection()->GetRepeatedFieldRef<std::string>(source, list));
    }
    for (int i = 0; i < source.dimensions_size(); ++i) {
      const policy::DimensionFilter& filter = source.dimensions(i);
      const std::string at = absl::StrCat(path, ".dimensions[", i, "]");
      const std::optional<Field> field = FieldNamed(filter.name());
      if (!field) {
        std::string names;
        for (const Field known : AllFields())
          absl::StrAppend(&names, names.empty() ? "" : ", ", NameOf(known));
        diagnostics_.Error(
            at + ".name",
            absl::StrCat("\"", filter.name(), "\" is not a dimension of budgets; there are: ", names));
      } else if (filter.one_of().empty()) {
        diagnostics_.Error(at, "lets nothing pass; expected one_of: [\"...\"]");
      } else {
        add(*field, filter.one_of());
      }
    }
  }

  void CompileLimits(const policy::Budget& source, const std::string& path, Budget* budget) {
    if (!source.usd().empty()) {
      const absl::StatusOr<int64_t> usd = ParseUsd(source.usd());
      if (!usd.ok()) {
        diagnostics_.Error(path + ".usd", std::string(usd.status().message()));
      } else if (*usd < 0) {
        diagnostics_.Error(path + ".usd",
                           absl::StrCat("\"", source.usd(), "\" is negative; expected at least 0"));
      } else {
        budget->limits[Dimension::kUsd] = *usd;
      }
    }
    const auto count = [&](Dimension dimension, int64_t value) {
      if (value < 0) {
        diagnostics_.Error(absl::StrCat(path, ".", std::string(DimensionName(dimension))),
                           absl::StrCat(value, " is negative; expected more than 0"));
      } else if (value > 0) {
        budget->limits[dimension] = value;
      }
    };
    count(Dimension::kTokens, source.tokens());
    count(Dimension::kOutputTokens, source.output_tokens());
    count(Dimension::kRequests, source.requests());
    count(Dimension::kSteps, source.steps());
    for (int i = 0; i < kDimensions; ++i) {
      if (budget->limits.of[i] != kUnlimited)
        budget->limited[budget->limited_count++] = static_cast<Dimension>(i);
    }
    if (budget->limited_count == 0 && source.usd().empty()) {
      diagnostics_.Error(path,
                         "the budget limits nothing; expected at least one of usd, tokens, output_tokens, "
                         "requests, steps");
    }
    budget->hold_limits = budget->limits;
  }

  void CompileWindow(const policy::Window& source, const std::string& path, WindowSpec* window) {
    window->zone = absl::UTCTimeZone();
    switch (source.kind_case()) {
      case policy::Window::KIND_NOT_SET:
        break;
      case policy::Window::kCalendar:
        if (source.calendar() == policy::Window::CALENDAR_UNIT_UNSPECIFIED)
          diagnostics_.Error(path + ".calendar", "expected DAY, WEEK or MONTH");
        window->kind = source.calendar() == policy::Window::WEEK    ? WindowKind::kWeek
                       : source.calendar() == policy::Window::MONTH ? WindowKind::kMonth
                                                                    : WindowKind::kDay;
        break;
      case policy::Window::kRolling:
        window->kind = WindowKind::kRolling;
        window->length_nanos = Duration(source.rolling(), path + ".rolling", kRollingSlices);
        break;
      case policy::Window::kRefill:
        window->kind = WindowKind::kRefill;
        window->length_nanos = Duration(source.refill(), path + ".refill", 1);
        break;
    }
    if (source.zone().empty()) return;
    if (source.kind_case() != policy::Window::kCalendar)
      diagnostics_.Error(path + ".zone", "only a calendar window has a zone");
    if (!absl::LoadTimeZone(source.zone(), &window->zone)) {
      diagnostics_.Error(path + ".zone", absl::StrCat("\"", source.zone(),
                                                      "\" is no time zone known here; expected an "
                                                      "IANA name such as \"Europe/Berlin\""));
    }
  }

  void CompileWarnings(const policy::Budget& source, const std::string& path, Budget* budget) {
    for (int i = 0; i < source.warn_at_size(); ++i) {
      const double level = source.warn_at(i);
      if (!(level > 0 && level <= 1)) {
        diagnostics_.Error(absl::StrCat(path, ".warn_at[", i, "]"),
                           absl::StrCat(level, " is no share of the limit; expected more than 0, at most 1"));
      } else {
        budget->warn_at.push_back(level);
      }
    }
    if (source.warn_at_size() > kMaxLevels)
      diagnostics_.Error(path + ".warn_at", absl::StrCat("more than ", kMaxLevels, " levels"));
    if (source.warn_at_size() == 0) budget->warn_at = {0.8};
    std::sort(budget->warn_at.begin(), budget->warn_at.end());
    for (const double level : budget->warn_at) {
      Amounts& from = budget->warn_from.emplace_back(Amounts::Unlimited());
      for (int i = 0; i < budget->limited_count; ++i) {
        const Dimension d = budget->limited[i];
        // Rounded down by more than the product of doubles may be off.
        const auto product =
            static_cast<int64_t>(std::min(level * static_cast<double>(budget->limits[d]), 9e18));
        from[d] = std::max<int64_t>(0, product - (product >> 48) - 3);
      }
    }
  }

  void CompileActions(const policy::Budget& source, const std::string& path, Budget* budget) {
    bool ended = false;
    for (int i = 0; i < source.when_short_size(); ++i) {
      const policy::Budget::ShortAction action = source.when_short(i);
      const std::string at = absl::StrCat(path, ".when_short[", i, "]");
      if (action == policy::Budget::SHORT_ACTION_UNSPECIFIED) {
        diagnostics_.Error(at, "expected NEXT_CHEAPER, CLAMP_OUTPUT, BATCH, WARN_ONLY or DENY");
        continue;
      }
      if (ended) diagnostics_.Warning(at, "is never tried: what stands before it settles every case");
      if (std::find(budget->when_short.begin(), budget->when_short.end(), action) != budget->when_short.end())
        diagnostics_.Warning(at, "is in the list twice");
      budget->when_short.push_back(action);
      ended |= action == policy::Budget::DENY || action == policy::Budget::WARN_ONLY;
    }
    if (!ended) budget->when_short.push_back(policy::Budget::DENY);
  }

  void CompileHold(const policy::HoldBasis& source, const std::string& path, Budget* budget) {
    if (source.quantile() == 0) {
      if (source.has_reserve())
        diagnostics_.Error(path + ".reserve", "a reserve belongs to a quantile: the worst case needs none");
      return;
    }
    if (!(source.quantile() >= 0.5 && source.quantile() < 1)) {
      diagnostics_.Error(
          path + ".quantile",
          absl::StrCat(source.quantile(), " is out of range; expected 0.5 up to, not including, 1"));
      return;
    }
    const double reserve = source.has_reserve() ? source.reserve() : 0.1;
    if (!(reserve >= 0 && reserve <= 0.9)) {
      diagnostics_.Error(path + ".reserve", absl::StrCat(reserve, " is out of range; expected 0 to 0.9"));
      return;
    }
    if (reserve == 0) {
      diagnostics_.Warning(path + ".reserve",
                           "without a reserve, every call that costs more than the quantile takes the "
                           "account past its limit");
    }
    budget->quantile = source.quantile();
    for (int i = 0; i < budget->limited_count; ++i) {
      const Dimension d = budget->limited[i];
      // In thousandths, so that the limit is an exact number for whoever reads it.
      const __int128 kept =
          static_cast<__int128>(budget->limits[d]) * static_cast<int64_t>(1000 - reserve * 1000 + 0.5);
      budget->hold_limits[d] = static_cast<int64_t>(kept / 1000);
    }
  }

  void LintTwins(const Budget& budget, const std::string& path) {
    for (const Budget& other : plan_.budgets_) {
      const auto same_filter = [&] {
        return std::equal(
            budget.only_for.begin(), budget.only_for.end(), other.only_for.begin(), other.only_for.end(),
            [](const auto& a, const auto& b) { return a.field == b.field && a.values == b.values; });
      };
      if (other.key == budget.key && other.window_fingerprint == budget.window_fingerprint && same_filter() &&
          other.limited == budget.limited && other.limited_count == budget.limited_count) {
        diagnostics_.Warning(path, absl::StrCat("limits the same as \"", other.name,
                                                "\"; only the smaller of the two matters"));
      }
    }
  }

  void CheckLegs() {
    int per_task = 0;
    for (const Budget& budget : plan_.budgets_) per_task += budget.per_task;
    if (per_task > 2) {
      diagnostics_.Error("", absl::StrCat(per_task,
                                          " budgets have scope TASK; at most 2, so that a call deep down a "
                                          "task tree draws on no more than 64 accounts"));
    }
    if (static_cast<int>(plan_.budgets_.size()) - per_task > 64 - 3 * kMaxTaskDepth && per_task == 2) {
      diagnostics_.Warning(
          "", absl::StrCat("with ", plan_.budgets_.size(), " budgets, calls at the bottom of a task tree of ",
                           kMaxTaskDepth, " levels are refused: they would draw on more than 64 accounts"));
    }
  }

  void CompileLifetimes() {
    const policy::BudgetSettings& source = policy_.budget_settings();
    const auto read = [&](const std::string& text, std::string_view field, std::string_view otherwise) {
      return Duration(text.empty() ? std::string(otherwise) : text,
                      absl::StrCat("budget_settings.", std::string(field)), 1);
    };
    Lifetimes& to = plan_.lifetimes_;
    to.hold_nanos = read(source.hold_expires_after(), "hold_expires_after", "2m");
    to.dispatch_nanos = read(source.dispatch_expires_after(), "dispatch_expires_after", "15m");
    to.presumed_nanos = read(source.presumed_final_after(), "presumed_final_after", "24h");
    to.task_nanos = read(source.task_ends_after(), "task_ends_after", "24h");
    to.session_nanos = read(source.session_ends_after(), "session_ends_after", "720h");
    to.ended_nanos = read(source.ended_remembered(), "ended_remembered", "1h");
  }

  void CompileGuards() {
    const policy::LoopGuards& source = policy_.loop_guards();
    LoopGuards& to = plan_.guards_;
    const auto at_least_0 = [&](auto value, std::string_view field) {
      if (value < 0) {
        diagnostics_.Error(absl::StrCat("loop_guards.", std::string(field)),
                           absl::StrCat(value, " is negative; expected at least 0 (0: no such guard)"));
      }
      return value;
    };
    to.max_steps = at_least_0(source.max_steps(), "max_steps");
    to.max_retries = at_least_0(source.max_retries(), "max_retries");
    to.max_repeats = at_least_0(source.max_repeats(), "max_repeats");
    if (source.max_depth() < 0 || source.max_depth() > kMaxTaskDepth) {
      diagnostics_.Error("loop_guards.max_depth",
                         absl::StrCat(source.max_depth(), " is out of range; expected 1 to ", kMaxTaskDepth));
    } else if (source.max_depth() > 0) {
      to.max_depth = source.max_depth();
    }
    if (!source.max_wall_time().empty())
      to.max_wall_nanos = Duration(source.max_wall_time(), "loop_guards.max_wall_time", 1);
    if (source.cost_factor() != 0) to.cost_factor = source.cost_factor();
    if (!(to.cost_factor >= 1)) {
      diagnostics_.Error(
          "loop_guards.cost_factor",
          absl::StrCat(source.cost_factor(), " would stop a plain completion; expected at least 1"));
    }
    to.flag_only = source.action() == policy::LoopGuards::FLAG;
    to.flag_cost_only = source.cost_action() != policy::LoopGuards::REFUSE;
  }

  int64_t Duration(const std::string& text, const std::string& path, int64_t least) {
    const absl::StatusOr<int64_t> nanos = ParseDurationNanos(text);
    if (!nanos.ok()) {
      diagnostics_.Error(path, std::string(nanos.status().message()));
      return std::max<int64_t>(least, 1);
    }
    if (*nanos < least) {
      diagnostics_.Error(path, absl::StrCat("\"", text, "\" is too short; expected at least ", least, "ns"));
      return least;
    }
    return *nanos;
  }

  const policy::Policy& policy_;
  Diagnostics& diagnostics_;
  Plan plan_;
  absl::flat_hash_map<std::string, size_t> names_;
};

Plan Plan::Compile(const policy::Policy& policy, Diagnostics* diagnostics) {
  return PlanCompiler(policy, diagnostics).Compile();
}

}  // namespace purser::budget
