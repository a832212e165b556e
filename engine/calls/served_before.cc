#include "engine/calls/served_before.h"

#include <xxhash.h>

namespace purser {
namespace {

enum Kind : uint64_t { kTask = 1, kSession = 2 };

// Never 0, which is what an empty slot holds.
uint64_t KeyOf(Kind kind, std::string_view tenant, std::string_view id) {
  const uint64_t of_tenant = XXH3_64bits_withSeed(tenant.data(), tenant.size(), kind);
  return XXH3_64bits_withSeed(id.data(), id.size(), of_tenant) | 1;
}

}  // namespace

void ServedBefore::Note(const Request& request, uint64_t model) {
  if (!request.task.empty()) Store(KeyOf(kTask, request.tenant, request.task), model);
  if (!request.session.empty()) Store(KeyOf(kSession, request.tenant, request.session), model);
}

uint64_t ServedBefore::Find(const Request& request) const {
  uint64_t model = 0;
  if (!request.task.empty()) model = Load(KeyOf(kTask, request.tenant, request.task));
  if (model == 0 && !request.session.empty()) model = Load(KeyOf(kSession, request.tenant, request.session));
  return model;
}

void ServedBefore::Store(uint64_t key, uint64_t model) {
  Bucket& bucket = buckets_[key >> 50];
  static_assert(kBuckets == size_t{1} << (64 - 50));
  Slot* place = &bucket[(key >> 1) % bucket.size()];  // If all are taken.
  for (Slot& slot : bucket) {
    const uint64_t held = slot.model.load(std::memory_order_relaxed);
    const uint64_t check = slot.check.load(std::memory_order_relaxed);
    if ((check ^ held) == key) {
      if (held == model) return;
      place = &slot;
      break;
    }
    if (check == 0 && held == 0) {
      place = &slot;
      break;
    }
  }
  place->check.store(key ^ model, std::memory_order_relaxed);
  place->model.store(model, std::memory_order_relaxed);
}

uint64_t ServedBefore::Load(uint64_t key) const {
  for (const Slot& slot : buckets_[key >> 50]) {
    const uint64_t model = slot.model.load(std::memory_order_relaxed);
    if ((slot.check.load(std::memory_order_relaxed) ^ model) == key) return model;
  }
  return 0;
}

}  // namespace purser
