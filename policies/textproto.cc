#include "policies/textproto.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "policies/read_file.h"

namespace purser {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

// One round of reading stops at a mistake of syntax; this many rounds are tried.
constexpr int kMaxSyntaxErrors = 50;
// Messages in each other: what reads them calls itself, and the stack is not endless. As protobuf's binary
// format has it.
constexpr int kMaxNested = 100;

struct Found {
  Position position;
  std::string message;
};

// The parser's errors, and its warnings about unknown fields, which here are errors too.
class Collector final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    errors.push_back({{line + 1, column + 1}, message});
  }
  void AddWarning(int line, int column, const std::string& message) override {
    unknown_fields.push_back({{line + 1, column + 1}, message});
  }
  std::vector<Found> errors;
  std::vector<Found> unknown_fields;
};

void MapSource(const Message& message, const TextFormat::ParseInfoTree& tree, const std::string& prefix,
               SourceMap* source) {
  const Reflection* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool repeated = field->is_repeated();
    const int count = repeated ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const int index = repeated ? i : -1;
      const TextFormat::ParseLocation location = tree.GetLocation(field, index);
      std::string path = absl::StrCat(prefix, field->name());
      if (repeated) absl::StrAppend(&path, "[", i, "]");
      if (location.line >= 0) source->Add(path, {location.line + 1, location.column + 1});
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
      const TextFormat::ParseInfoTree* nested = tree.GetTreeForNested(field, index);
      if (nested == nullptr) continue;
      const Message& child = repeated ? reflection->GetRepeatedMessage(message, field, i)
                                      : reflection->GetMessage(message, field);
      MapSource(child, *nested, path + ".", source);
    }
  }
}

size_t OffsetOf(absl::string_view text, Position position) {
  size_t offset = 0;
  for (int line = 1; line < position.line; ++line) {
    offset = text.find('\n', offset);
    if (offset == absl::string_view::npos) return text.size();
    ++offset;
  }
  // The tokenizer's columns count a tab as reaching the next multiple of 8.
  for (int column = 0; column < position.column - 1 && offset < text.size(); ++offset) {
    column = text[offset] == '\t' ? (column / 8 + 1) * 8 : column + 1;
  }
  return std::min(offset, text.size());
}

// The parser names an unknown field or enum value when it stands at the token after it: back to where it is
// written.
Position BackTo(absl::string_view token, absl::string_view text, Position after) {
  const size_t offset = text.substr(0, OffsetOf(text, after)).rfind(token);
  if (token.empty() || offset == absl::string_view::npos) return after;
  const absl::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 == 0
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_start) + 1};
}

int EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// The nearest of `names`, or all of them if none is near.
std::string Suggest(absl::string_view name, const std::vector<std::string>& names) {
  std::string nearest;
  int best = static_cast<int>(name.size()) / 2 + 1;
  for (const std::string& candidate : names) {
    const int distance = EditDistance(name, candidate);
    if (distance >= best) continue;
    best = distance;
    nearest = candidate;
  }
  return nearest.empty() ? absl::StrCat("; expected one of: ", absl::StrJoin(names, ", "))
                         : absl::StrCat("; did you mean \"", nearest, "\"?");
}

// `Message type "purser.policy.Budget" has no field named "limt".`
Found ExplainUnknownField(const Found& found, absl::string_view text, const Message& root) {
  const std::vector<std::string> parts = absl::StrSplit(found.message, '"');
  if (parts.size() < 4 || !absl::StrContains(found.message, "has no field named")) return found;
  const Descriptor* type = root.GetDescriptor()->file()->pool()->FindMessageTypeByName(parts[1]);
  if (type == nullptr) return found;
  std::vector<std::string> names;
  for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
  return {BackTo(parts[3], text, found.position),
          absl::StrCat("unknown field \"", parts[3], "\" in ", type->name(), Suggest(parts[3], names))};
}

const FieldDescriptor* FindEnumField(const Descriptor* type, absl::string_view name,
                                     std::vector<const Descriptor*>* seen) {
  if (std::find(seen->begin(), seen->end(), type) != seen->end()) return nullptr;
  seen->push_back(type);
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->enum_type() != nullptr && field->name() == name) return field;
  }
  for (int i = 0; i < type->field_count(); ++i) {
    if (type->field(i)->message_type() == nullptr) continue;
    if (const auto* field = FindEnumField(type->field(i)->message_type(), name, seen)) return field;
  }
  return nullptr;
}

// `Unknown enumeration value of "TOLS" for field "capabilities".`
Found ExplainSyntaxError(const Found& found, absl::string_view text, const Message& root) {
  const std::vector<std::string> parts = absl::StrSplit(found.message, '"');
  if (parts.size() < 4 || !absl::StartsWith(found.message, "Unknown enumeration value")) return found;
  std::vector<const Descriptor*> seen;
  const FieldDescriptor* field = FindEnumField(root.GetDescriptor(), parts[3], &seen);
  if (field == nullptr) return {BackTo(parts[1], text, found.position), found.message};
  std::vector<std::string> names;
  for (int i = 0; i < field->enum_type()->value_count(); ++i) {
    const std::string& name = field->enum_type()->value(i)->name();
    if (!absl::EndsWith(name, "UNSPECIFIED")) names.push_back(name);
  }
  return {BackTo(parts[1], text, found.position),
          absl::StrCat("unknown value \"", parts[1], "\" of ", parts[3], Suggest(parts[1], names))};
}

// Blanks what stands on `line` (1-based) so that reading can go on after it. Braces stay, so that messages
// still open and close where they did. False if nothing is left to blank.
bool SetLineAside(std::string* text, int line) {
  const size_t begin = OffsetOf(*text, {line, 1});
  const size_t end = std::min(text->find('\n', begin), text->size());
  const absl::string_view content(text->data() + begin, end - begin);
  // "signal: { regex ..." keeps the words before its brace: they name the message that it opens.
  const size_t open = content.find('{');
  const size_t keep_until = open == absl::string_view::npos ? 0 : open + 1;
  bool changed = false;
  bool quoted = false;
  for (size_t i = begin + keep_until; i < end; ++i) {
    char& c = (*text)[i];
    if (c == '"') quoted = !quoted;
    if (c == ' ' || (!quoted && (c == '{' || c == '}'))) continue;
    c = ' ';
    changed = true;
  }
  return changed;
}

bool IsWordChar(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-' || c == '+'; }

// Blanks the field whose value (or what stands in its place) is at `position`, its name included, so that the
// rest of its message can be read. False if that is not a name and a value.
bool SetFieldAside(std::string* text, Position position) {
  const size_t value = OffsetOf(*text, position);
  size_t end = value;
  if (value < text->size() && ((*text)[value] == '"' || (*text)[value] == '\'')) {
    const char quote = (*text)[value];
    for (++end; end < text->size() && (*text)[end] != quote && (*text)[end] != '\n'; ++end) {
      if ((*text)[end] == '\\') ++end;
    }
    end = std::min(end + 1, text->size());
  } else {
    while (end < text->size() && IsWordChar((*text)[end])) ++end;
  }
  size_t begin = value;
  const auto skip_back = [&](auto is) {
    while (begin > 0 && is((*text)[begin - 1])) --begin;
  };
  skip_back([](char c) { return c == ' ' || c == '\t' || c == ':'; });
  const size_t after_name = begin;
  skip_back(IsWordChar);
  if (end == value || begin == after_name) return false;
  std::fill(text->begin() + static_cast<ptrdiff_t>(begin), text->begin() + static_cast<ptrdiff_t>(end), ' ');
  return true;
}

}  // namespace

Diagnostics ParseTextproto(std::string_view text, std::string_view file, Message* message) {
  Diagnostics diagnostics{std::string(file), SourceMap()};
  std::string readable(text);
  std::vector<Found> unknown_fields;
  Position last;
  for (int round = 0; round < kMaxSyntaxErrors; ++round) {
    message->Clear();
    Collector collector;
    TextFormat::ParseInfoTree tree;
    TextFormat::Parser parser;
    parser.AllowUnknownField(true);
    parser.SetRecursionLimit(kMaxNested);
    parser.RecordErrorsTo(&collector);
    parser.WriteLocationsTo(&tree);
    const bool parsed = parser.ParseFromString(readable, message);
    unknown_fields = std::move(collector.unknown_fields);
    if (parsed) {
      SourceMap source;
      MapSource(*message, tree, "", &source);
      diagnostics.set_source(std::move(source));
      break;
    }
    if (collector.errors.empty()) {
      diagnostics.ErrorAt({}, "cannot be read as protobuf text");
      break;
    }
    const Found first = ExplainSyntaxError(collector.errors.front(), readable, *message);
    // Where a field was set aside in vain, its line is set aside whole, and was reported already.
    const bool again = first.position.line == last.line && first.position.column <= last.column;
    if (!again) diagnostics.ErrorAt(first.position, first.message);
    last = first.position;
    if (!again && SetFieldAside(&readable, first.position)) continue;
    if (!SetLineAside(&readable, first.position.line)) break;
  }
  const absl::string_view text_view(text.data(), text.size());
  for (const Found& unknown : unknown_fields) {
    const Found explained = ExplainUnknownField(unknown, text_view, *message);
    diagnostics.ErrorAt(explained.position, explained.message);
  }
  return diagnostics;
}

Diagnostics ReadTextproto(const std::string& path, Message* message, std::string* text) {
  absl::StatusOr<std::string> content = ReadWholeFile(path);
  if (!content.ok()) {
    Diagnostics diagnostics(path, SourceMap());
    diagnostics.Error("", std::string(content.status().message()));
    return diagnostics;
  }
  if (text != nullptr) *text = *content;
  return ParseTextproto(*content, path, message);
}

}  // namespace purser
