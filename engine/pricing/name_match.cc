#include "engine/pricing/name_match.h"

#include <algorithm>
#include <optional>
#include <regex>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "re2/re2.h"

namespace purser::pricing {
namespace {

std::vector<std::string> Lowered(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::vector<std::string> lowered;
  lowered.reserve(names.size());
  for (const std::string& name : names) lowered.push_back(LowerCase(name));
  return lowered;
}

}  // namespace

// RE2, except for the patterns with a lookahead that tables use to tell "gpt-4o" from "gpt-4o-mini" and that
// RE2 has not. Names are short and resolved once, so backtracking does no harm there.
struct NameMatch::Regex {
  explicit Regex(const std::string& pattern) : linear(pattern, re2::RE2::Quiet) {
    if (linear.ok() || !(absl::StrContains(pattern, "(?!") || absl::StrContains(pattern, "(?="))) return;
    try {
      backtracking.emplace(pattern, std::regex::ECMAScript);
    } catch (const std::regex_error&) {
    }
  }
  bool ok() const { return linear.ok() || backtracking.has_value(); }
  bool Matches(std::string_view name) const {
    if (linear.ok()) return re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), linear);
    constexpr size_t kLongestName = 256;
    return name.size() <= kLongestName && std::regex_search(name.begin(), name.end(), *backtracking);
  }

  re2::RE2 linear;
  std::optional<std::regex> backtracking;
};

NameMatch::NameMatch() = default;
NameMatch::~NameMatch() = default;
NameMatch::NameMatch(NameMatch&&) noexcept = default;
NameMatch& NameMatch::operator=(NameMatch&&) noexcept = default;

NameMatch NameMatch::Compile(const prices::Match& match, const std::string& path, Diagnostics* diagnostics) {
  NameMatch compiled;
  compiled.equals_ = Lowered(match.equals());
  compiled.starts_with_ = Lowered(match.starts_with());
  compiled.ends_with_ = Lowered(match.ends_with());
  compiled.contains_ = Lowered(match.contains());
  for (int i = 0; i < match.regex_size(); ++i) {
    auto regex = std::make_unique<Regex>(match.regex(i));
    if (regex->ok()) {
      compiled.regexes_.push_back(std::move(regex));
    } else {
      diagnostics->Error(absl::StrCat(path, ".regex[", i, "]"),
                         absl::StrCat("not a regular expression of RE2: ", regex->linear.error()));
    }
  }
  for (int i = 0; i < match.all_size(); ++i) {
    compiled.all_.push_back(Compile(match.all(i), absl::StrCat(path, ".all[", i, "]"), diagnostics));
  }
  for (int i = 0; i < match.any_size(); ++i) {
    compiled.any_.push_back(Compile(match.any(i), absl::StrCat(path, ".any[", i, "]"), diagnostics));
  }
  compiled.only_equals_ = match.starts_with().empty() && match.ends_with().empty() &&
                          match.contains().empty() && match.regex().empty() && match.all().empty() &&
                          match.any().empty();
  return compiled;
}

bool NameMatch::Matches(std::string_view name, bool equals) const {
  const auto holds = [](const std::vector<std::string>& parts, auto test) {
    return std::any_of(parts.begin(), parts.end(), test);
  };
  if (equals && holds(equals_, [&](const std::string& s) { return name == s; })) return true;
  if (holds(starts_with_, [&](const std::string& s) { return name.starts_with(s); })) return true;
  if (holds(ends_with_, [&](const std::string& s) { return name.ends_with(s); })) return true;
  if (holds(contains_, [&](const std::string& s) { return name.find(s) != std::string_view::npos; }))
    return true;
  for (const auto& regex : regexes_) {
    if (regex->Matches(name)) return true;
  }
  for (const NameMatch& any : any_) {
    if (any.Matches(name)) return true;
  }
  return !all_.empty() &&
         std::all_of(all_.begin(), all_.end(), [&](const NameMatch& all) { return all.Matches(name); });
}

std::string LowerCase(std::string_view text) {
  return absl::AsciiStrToLower(absl::string_view(text.data(), text.size()));
}

}  // namespace purser::pricing
