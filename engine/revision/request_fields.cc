#include "engine/revision/request_fields.h"

#include <cstdint>
#include <cstring>

namespace purser {
namespace {

using Field = std::string_view budget::Scope::*;

constexpr Field kFields[] = {
    &budget::Scope::tenant,   &budget::Scope::customer, &budget::Scope::customer_tier,
    &budget::Scope::team,     &budget::Scope::feature,  &budget::Scope::use_case,
    &budget::Scope::session,  &budget::Scope::task,     &budget::Scope::parent_task,
    &budget::Scope::provider, &budget::Scope::model,
};

}  // namespace

std::string EncodeScope(const budget::Scope& scope) {
  std::string bytes;
  for (const Field field : kFields) {
    const uint32_t size = static_cast<uint32_t>((scope.*field).size());
    bytes.append(reinterpret_cast<const char*>(&size), sizeof(size));
    bytes.append(scope.*field);
  }
  return bytes;
}

bool DecodeScope(std::string_view bytes, budget::Scope* scope) {
  for (const Field field : kFields) {
    uint32_t size;
    if (bytes.size() < sizeof(size)) return false;
    std::memcpy(&size, bytes.data(), sizeof(size));
    bytes.remove_prefix(sizeof(size));
    if (bytes.size() < size) return false;
    scope->*field = bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
  return bytes.empty();
}

}  // namespace purser
