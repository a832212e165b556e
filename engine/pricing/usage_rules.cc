#include "engine/pricing/usage_rules.h"

#include <cmath>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/pricing/meter_facts.h"
#include "engine/pricing/name_match.h"

namespace purser::pricing {
namespace {

using simdjson::dom::element;

// One step of a path: a key, or the first element of an array that has a field of some value.
struct Step {
  std::string key;
  bool picks = false;  // Then `key` is the element's field and `match` what it has to be.
  NameMatch match;
};
using Path = std::vector<Step>;

struct Field {
  Path path;
  std::string shown;  // "promptTokensDetails.[modality=AUDIO].tokenCount", for messages.
  Meter meter;
  bool required = false;
};

std::optional<Step> CompileStep(const std::string& text, const std::string& path, Diagnostics* diagnostics) {
  Step step;
  if (text.empty()) return std::nullopt;
  if (text.front() != '[' || text.back() != ']') {
    step.key = text;
    return step;
  }
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals < 2) return std::nullopt;
  const char before = text[equals - 1];
  const bool has_operator = before == '^' || before == '$' || before == '*' || before == '~';
  step.picks = true;
  step.key = text.substr(1, equals - 1 - (has_operator ? 1 : 0));
  const std::string value = text.substr(equals + 1, text.size() - equals - 2);
  prices::Match match;
  if (before == '^') {
    match.add_starts_with(value);
  } else if (before == '$') {
    match.add_ends_with(value);
  } else if (before == '*') {
    match.add_contains(value);
  } else if (before == '~') {
    match.add_regex(value);
  } else {
    match.add_equals(value);
  }
  step.match = NameMatch::Compile(match, path, diagnostics);
  return step;
}

template <typename Steps>
Path CompilePath(const Steps& steps, const std::string& path, Diagnostics* diagnostics) {
  Path compiled;
  for (const std::string& text : steps) {
    auto step = CompileStep(text, path, diagnostics);
    if (step) {
      compiled.push_back(*std::move(step));
    } else {
      diagnostics->Error(path,
                         absl::StrCat("\"", text, "\" is not a step; expected a key or \"[field=value]\""));
    }
  }
  return compiled;
}

std::optional<element> Pick(const Step& step, element from) {
  simdjson::dom::array elements;
  if (from.get(elements)) return std::nullopt;
  for (const element one : elements) {
    std::string_view value;
    if (one[step.key].get(value)) continue;
    // Reading must not allocate: the values of such fields are short.
    char lower[64];
    if (value.size() > sizeof(lower)) continue;
    for (size_t i = 0; i < value.size(); ++i) lower[i] = absl::ascii_tolower(value[i]);
    if (step.match.Matches({lower, value.size()})) return one;
  }
  return std::nullopt;
}

std::optional<element> Follow(const Path& path, element from) {
  for (const Step& step : path) {
    std::optional<element> next;
    if (step.picks) {
      next = Pick(step, from);
    } else {
      element value;
      if (!from[step.key].get(value)) next = value;
    }
    if (!next) return std::nullopt;
    from = *next;
  }
  return from;
}

}  // namespace

// Reads a count; the message says what is wrong with it. Null and absent are the same.
absl::Status ReadCount(element value, Meter meter, absl::string_view shown, int64_t* units) {
  int64_t whole;
  uint64_t large;
  double number;
  const auto bad = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("usage field ", shown, " ", why));
  };
  const int64_t scale = UnitScale(meter);
  if (!value.get(whole)) {
    if (whole < 0) return bad("is negative");
    if (__builtin_mul_overflow(whole, scale, units)) return bad("is beyond what can be counted");
    return absl::OkStatus();
  }
  if (!value.get(large)) return bad("is beyond what can be counted");
  if (value.is_double() && !value.get(number)) {
    if (!(number >= 0)) return bad("is negative");
    number *= static_cast<double>(scale);
    if (!(number < 9.2e18)) return bad("is beyond what can be counted");
    const double rounded = std::nearbyint(number);
    if (scale == 1 && rounded != number) return bad("is not a whole number");
    *units = static_cast<int64_t>(rounded);
    return absl::OkStatus();
  }
  return bad("is not a number");
}

struct UsageRules::Flavor {
  std::string name;
  Path root;
  std::string shown_root;
  Path model;
  std::vector<Field> fields;
};

UsageRules::UsageRules() = default;
UsageRules::~UsageRules() = default;

std::unique_ptr<UsageRules> UsageRules::Compile(const prices::Provider& provider, const std::string& path,
                                                Diagnostics* diagnostics) {
  auto rules = std::make_unique<UsageRules>();
  for (int i = 0; i < provider.usage_size(); ++i) {
    const prices::UsageRule& rule = provider.usage(i);
    const std::string rule_path = absl::StrCat(path, ".usage[", i, "]");
    auto flavor = std::make_unique<Flavor>();
    flavor->name = rule.api_flavor();
    flavor->root = CompilePath(rule.root(), rule_path + ".root", diagnostics);
    flavor->shown_root = absl::StrJoin(rule.root(), ".");
    flavor->model = CompilePath(rule.model(), rule_path + ".model", diagnostics);
    for (int f = 0; f < rule.fields_size(); ++f) {
      const std::string field_path = absl::StrCat(rule_path, ".fields[", f, "]");
      const auto meter = FindMeter(rule.fields(f).meter());
      if (!meter) {
        diagnostics->Error(field_path + ".meter",
                           absl::StrCat("no meter is named \"", rule.fields(f).meter(), "\""));
        continue;
      }
      Field field;
      field.path = CompilePath(rule.fields(f).path(), field_path + ".path", diagnostics);
      field.shown = absl::StrCat(flavor->shown_root, flavor->shown_root.empty() ? "" : ".",
                                 absl::StrJoin(rule.fields(f).path(), "."));
      field.meter = *meter;
      field.required = rule.fields(f).required();
      flavor->fields.push_back(std::move(field));
    }
    rules->flavors_.push_back(std::move(flavor));
  }
  return rules;
}

const UsageRules::Flavor* UsageRules::Find(std::string_view api_flavor) const {
  if (api_flavor.empty()) return nullptr;
  for (const auto& flavor : flavors_) {
    if (flavor->name == api_flavor) return flavor.get();
  }
  return nullptr;
}

const UsageRules::Flavor* UsageRules::Guess(element response) const {
  const Flavor* best = nullptr;
  int best_found = 0;
  for (const auto& flavor : flavors_) {
    const auto root = Follow(flavor->root, response);
    if (!root) continue;
    int found = 0;
    bool all_required = true;
    for (const Field& field : flavor->fields) {
      const bool there = Follow(field.path, *root).has_value();
      found += there ? 1 : 0;
      all_required = all_required && (there || !field.required);
    }
    if (!all_required || found <= best_found) continue;
    best = flavor.get();
    best_found = found;
  }
  return best;
}

std::string UsageRules::FlavorNames() const {
  return absl::StrJoin(flavors_, ", ",
                       [](std::string* out, const auto& flavor) { out->append(flavor->name); });
}

absl::Status UsageRules::Apply(const Flavor& flavor, element response, UsageBlock* block) {
  block->usage = Usage();
  block->model.clear();
  if (const auto model = Follow(flavor.model, response)) {
    std::string_view name;
    if (!model->get(name)) block->model.assign(name);
  }
  const auto root = Follow(flavor.root, response);
  if (!root || !root->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no usage block at \"", flavor.shown_root, "\": the usage is unknown"));
  }
  for (const Field& field : flavor.fields) {
    const auto value = Follow(field.path, *root);
    if (!value || value->is_null()) {
      if (!field.required) continue;
      return absl::InvalidArgumentError(absl::StrCat("usage field ", field.shown, " is missing"));
    }
    if (!field.required && !value->is_number()) continue;
    int64_t units = 0;
    if (absl::Status status = ReadCount(*value, field.meter, field.shown, &units); !status.ok())
      return status;
    if (!block->usage.Add(field.meter, units)) {
      return absl::InvalidArgumentError(
          absl::StrCat("usage field ", field.shown, " is beyond what can be counted"));
    }
  }
  if (block->usage.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the usage block at \"", flavor.shown_root, "\" states nothing: the usage is unknown"));
  }
  return absl::OkStatus();
}

}  // namespace purser::pricing
