#include "engine/pricing/tables/json_tree.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "simdjson.h"

namespace purser::pricing {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int kMaxDepth = 64;

simdjson::error_code Build(ondemand::value value, int depth, JsonTree* tree) {
  if (depth > kMaxDepth) return simdjson::DEPTH_ERROR;
  ondemand::json_type type;
  if (auto error = value.type().get(type)) return error;
  switch (type) {
    case ondemand::json_type::object: {
      tree->type = JsonTree::Type::kObject;
      ondemand::object object;
      if (auto error = value.get_object().get(object)) return error;
      for (auto field : object) {
        std::string_view key;
        ondemand::value member;
        if (auto error = field.unescaped_key().get(key)) return error;
        tree->members.emplace_back(std::string(key), JsonTree());
        if (auto error = field.value().get(member)) return error;
        if (auto error = Build(member, depth + 1, &tree->members.back().second)) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::array: {
      tree->type = JsonTree::Type::kArray;
      ondemand::array array;
      if (auto error = value.get_array().get(array)) return error;
      for (auto item : array) {
        ondemand::value member;
        if (auto error = item.get(member)) return error;
        tree->items.emplace_back();
        if (auto error = Build(member, depth + 1, &tree->items.back())) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::string: {
      tree->type = JsonTree::Type::kString;
      std::string_view text;
      if (auto error = value.get_string().get(text)) return error;
      tree->text = std::string(text);
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::number: {
      tree->type = JsonTree::Type::kNumber;
      const std::string_view raw = value.raw_json_token();
      tree->text = std::string(absl::StripAsciiWhitespace(absl::string_view(raw.data(), raw.size())));
      double checked;
      return value.get_double().get(checked);
    }
    case ondemand::json_type::boolean: {
      tree->type = JsonTree::Type::kBool;
      bool truth;
      if (auto error = value.get_bool().get(truth)) return error;
      tree->text = truth ? "true" : "false";
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::null: {
      tree->type = JsonTree::Type::kNull;
      bool null = false;
      if (auto error = value.is_null().get(null)) return error;
      return null ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
    }
  }
  return simdjson::INCORRECT_TYPE;
}

}  // namespace

const JsonTree* JsonTree::Find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string_view JsonTree::StringAt(std::string_view key) const {
  const JsonTree* value = Find(key);
  return value != nullptr && value->is_string() ? std::string_view(value->text) : std::string_view();
}

absl::StatusOr<JsonTree> ParseJsonTree(std::string_view json) {
  const simdjson::padded_string padded(json);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::value root;
  JsonTree tree;
  simdjson::error_code error = parser.iterate(padded).get(document);
  if (!error) error = document.get_value().get(root);
  if (!error) error = Build(root, 0, &tree);
  if (error) return absl::InvalidArgumentError(absl::StrCat("not JSON: ", simdjson::error_message(error)));
  return tree;
}

}  // namespace purser::pricing
