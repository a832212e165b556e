#include "engine/revision/request_fields.h"

#include <cstdint>
#include <vector>

#include "engine/base/prefixed_bytes.h"

namespace purser {
namespace {

using Field = std::string_view budget::Scope::*;

// What scopes began with; what has come later stands behind provider and model, so that older ledgers stay
// readable.
constexpr size_t kFirstRows = 9;
static_assert(kRequestDimensions[0].member == &Dimensions::tenant);
static_assert(kRequestDimensions[kFirstRows - 1].member == &Dimensions::parent_task);

const std::vector<Field>& StoredFields() {
  static const std::vector<Field>& stored = *[] {
    auto* fields = new std::vector<Field>;
    for (size_t row = 0; row < kFirstRows; ++row) fields->push_back(kRequestDimensions[row].member);
    fields->insert(fields->end(), {&budget::Scope::provider, &budget::Scope::model});
    for (size_t row = kFirstRows; row < kRequestDimensionCount; ++row) {
      if (kRequestDimensions[row].in_budgets) fields->push_back(kRequestDimensions[row].member);
    }
    return fields;
  }();
  return stored;
}
constexpr size_t kAlwaysStored = kFirstRows + 2;

}  // namespace

std::string EncodeScope(const budget::Scope& scope) {
  const std::vector<Field>& fields = StoredFields();
  size_t count = fields.size();
  while (count > kAlwaysStored && (scope.*fields[count - 1]).empty()) --count;
  std::string bytes;
  for (size_t i = 0; i < count; ++i) AppendPart<uint32_t>(scope.*fields[i], &bytes);
  return bytes;
}

bool DecodeScope(std::string_view bytes, budget::Scope* scope) {
  *scope = {};
  size_t count = 0;
  for (const Field field : StoredFields()) {
    if (bytes.empty()) break;
    if (!TakePart<uint32_t>(&bytes, &(scope->*field))) return false;
    ++count;
  }
  return bytes.empty() && count >= kAlwaysStored;
}

}  // namespace purser
