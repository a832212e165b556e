// JSON is read with simdjson where calls wait for it (usage blocks of responses, usage_block.cc) or where a
// part has to be handed on exactly as it was written (`purser cost`), and with nlohmann elsewhere, as here.

#include "engine/pricing/tables/json_tree.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace purser::pricing {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDepth = 64;

// Called by nlohmann's parser; false ends parsing.
class TreeBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit TreeBuilder(JsonTree* root) : root_(root) {}

  const std::string& error() const { return error_; }

  bool null() override { return Add(JsonTree::Type::kNull, ""); }
  bool boolean(bool value) override { return Add(JsonTree::Type::kBool, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return Add(JsonTree::Type::kNumber, absl::StrCat(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return Add(JsonTree::Type::kNumber, absl::StrCat(value));
  }
  // Integers beyond 64 bits come here, too.
  bool number_float(number_float_t, const string_t& text) override {
    return Add(JsonTree::Type::kNumber, text);
  }
  bool string(string_t& value) override { return Add(JsonTree::Type::kString, std::move(value)); }
  bool binary(binary_t&) override { return false; }  // Not in texts.

  bool start_object(size_t) override { return Open(JsonTree::Type::kObject); }
  bool key(string_t& value) override {
    open_.back()->members.emplace_back(std::move(value), JsonTree());
    return true;
  }
  bool end_object() override { return Close(); }
  bool start_array(size_t) override { return Open(JsonTree::Type::kArray); }
  bool end_array() override { return Close(); }

  bool parse_error(size_t, const std::string&, const Json::exception& error) override {
    error_ = error.what();
    return false;
  }

 private:
  // Where the next value goes. Parents do not grow while a child is open, so that pointers to them stay
  // valid.
  JsonTree* Next() {
    if (open_.empty()) return root_;
    JsonTree* parent = open_.back();
    return parent->is_array() ? &parent->items.emplace_back() : &parent->members.back().second;
  }
  bool Add(JsonTree::Type type, std::string text) {
    JsonTree* tree = Next();
    tree->type = type;
    tree->text = std::move(text);
    return true;
  }
  bool Open(JsonTree::Type type) {
    if (open_.size() == kMaxDepth) {
      error_ = absl::StrCat("nested more than ", kMaxDepth, " deep");
      return false;
    }
    JsonTree* tree = Next();
    tree->type = type;
    open_.push_back(tree);
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  JsonTree* const root_;
  std::vector<JsonTree*> open_;
  std::string error_;
};

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
  JsonTree tree;
  TreeBuilder builder(&tree);
  if (!Json::sax_parse(json, &builder))
    return absl::InvalidArgumentError(absl::StrCat("not JSON: ", builder.error()));
  return tree;
}

}  // namespace purser::pricing
