#include "engine/routing/pattern_matcher.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace purser::routing {
namespace {

// Of the regexes' shared automaton. RE2's default is 8 MiB; a policy of a thousand regexes needs more before
// it falls back.
constexpr int64_t kSetBytes = 64 << 20;

re2::StringPiece Piece(std::string_view text) { return re2::StringPiece(text.data(), text.size()); }

RE2::Options OptionsFor(bool case_sensitive) {
  RE2::Options options(RE2::Quiet);
  options.set_case_sensitive(case_sensitive);
  options.set_never_capture(true);
  options.set_max_mem(kSetBytes);
  return options;
}

// In a set all regexes share one option: case is folded by a flag in the text.
std::string InSet(std::string_view regex, bool case_sensitive) {
  return absl::StrCat(case_sensitive ? "(?-i:" : "(?i:", absl::string_view(regex.data(), regex.size()), ")");
}

}  // namespace

absl::StatusOr<int> PatternMatcher::AddRegex(std::string_view regex, bool case_sensitive) {
  auto compiled = std::make_unique<RE2>(Piece(regex), OptionsFor(case_sensitive));
  if (!compiled->ok()) return absl::InvalidArgumentError(compiled->error());
  if (set_ == nullptr) set_ = std::make_unique<RE2::Set>(OptionsFor(true), RE2::UNANCHORED);
  std::string error;
  if (set_->Add(InSet(regex, case_sensitive), &error) < 0) return absl::InvalidArgumentError(error);
  const int number = size();
  regexes_.push_back(number);
  patterns_.push_back({std::move(compiled), -1});
  return number;
}

absl::StatusOr<int> PatternMatcher::AddKeyword(std::string_view keyword) {
  const absl::StatusOr<int> added = keywords_.Add(keyword);
  if (!added.ok()) return added.status();
  const int number = size();
  keyword_patterns_.push_back(number);
  patterns_.push_back({nullptr, *added});
  return number;
}

absl::Status PatternMatcher::Compile() {
  keywords_.Compile();
  if (set_ != nullptr && !set_->Compile()) {
    return absl::ResourceExhaustedError(
        "the regexes of this part together are too large; expected fewer, or simpler ones");
  }
  return absl::OkStatus();
}

void PatternMatcher::Match(std::string_view text, uint64_t* seen, std::vector<int>* scratch) const {
  const auto mark = [seen](int number) { seen[number >> 6] |= uint64_t{1} << (number & 63); };
  if (!keywords_.empty()) {
    keywords_.Match(text, [&](int keyword) { mark(keyword_patterns_[keyword]); });
  }
  if (set_ == nullptr) return;
  RE2::Set::ErrorInfo error{RE2::Set::kNoError};
  if (!one_by_one_) {
    if (set_->Match(Piece(text), scratch, &error)) {
      for (const int regex : *scratch) mark(regexes_[regex]);
      return;
    }
    if (error.kind == RE2::Set::kNoError) return;
  }
  for (const int number : regexes_) {
    if (RE2::PartialMatch(Piece(text), *patterns_[number].regex)) mark(number);
  }
}

bool PatternMatcher::Find(int number, std::string_view text, std::string_view* where) const {
  const Pattern& pattern = patterns_[number];
  if (pattern.regex == nullptr) return keywords_.Find(pattern.keyword, text, where);
  // never_capture() still tells where the whole match stands.
  re2::StringPiece match;
  if (!pattern.regex->Match(Piece(text), 0, text.size(), RE2::UNANCHORED, &match, 1)) return false;
  *where = std::string_view(match.data(), match.size());
  return true;
}

}  // namespace purser::routing
