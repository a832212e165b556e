#ifndef PURSER_ENGINE_MODEL_HASH_H_
#define PURSER_ENGINE_MODEL_HASH_H_

#include <cstdint>
#include <string_view>

#include "engine/pricing/output_estimate.h"

namespace purser {

// Names a provider's model in what is learned about it. Does not allocate.
inline uint64_t ModelHash(std::string_view provider, std::string_view model) {
  return pricing::HashName(provider) * 0x9e3779b97f4a7c15u ^ pricing::HashName(model);
}

}  // namespace purser

#endif  // PURSER_ENGINE_MODEL_HASH_H_
