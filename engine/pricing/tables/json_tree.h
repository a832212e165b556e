#ifndef PURSER_ENGINE_PRICING_TABLES_JSON_TREE_H_
#define PURSER_ENGINE_PRICING_TABLES_JSON_TREE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace purser::pricing {

// A JSON document that keeps each number as it is written, since prices must not pass through floating point.
struct JsonTree {
  enum class Type { kNull, kBool, kNumber, kString, kArray, kObject };

  Type type = Type::kNull;
  std::string text;  // The number as written; the string; "true" or "false".
  std::vector<JsonTree> items;
  std::vector<std::pair<std::string, JsonTree>> members;  // In the order of the text.

  bool is_object() const { return type == Type::kObject; }
  bool is_array() const { return type == Type::kArray; }
  bool is_string() const { return type == Type::kString; }
  bool is_number() const { return type == Type::kNumber; }
  bool is_true() const { return type == Type::kBool && text == "true"; }

  // Null if this is no object or has no such member.
  const JsonTree* Find(std::string_view key) const;
  // The string there; empty if there is none.
  std::string_view StringAt(std::string_view key) const;
};

// INVALID_ARGUMENT: not JSON, or deeper than 64.
absl::StatusOr<JsonTree> ParseJsonTree(std::string_view json);

}  // namespace purser::pricing

#endif  // PURSER_ENGINE_PRICING_TABLES_JSON_TREE_H_
