#include "engine/budget/account_table.h"

#include <new>
#include <random>

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace purser::budget {
namespace {

constexpr uint32_t kFirstTable = 16;

// Full at 7/8: probes stay short, and 4 bytes per entry cost little.
bool IsFull(uint32_t live, uint32_t size) { return live >= size - size / 8; }

}  // namespace

AccountTable::AccountTable(uint64_t seed) : shards_(std::make_unique<Shard[]>(kShards)) {
  std::mt19937_64 random(seed);
  std::random_device device;
  for (size_t i = 0; i < secret_.size(); i += 8) {
    const uint64_t word = seed != 0 ? random() : (uint64_t{device()} << 32 | device());
    std::memcpy(secret_.data() + i, &word, 8);
  }
  for (uint32_t i = 0; i < kShards; ++i) {
    shards_[i].tables.push_back(NewTable(kFirstTable));
    shards_[i].table.store(shards_[i].tables.back(), std::memory_order_release);
  }
}

AccountTable::~AccountTable() {
  for (uint32_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    for (uint32_t slot = 0; slot < shard.used.load(); ++slot) {
      Account& account = SlotOf(shard, slot);
      if (account.live && account.follows_task()) delete account.task;
      if (account.live && !account.follows_task()) delete account.extras;
      account.~Account();
    }
    for (std::atomic<Account*>& chunk : shard.chunks)
      ::operator delete (static_cast<void*>(chunk.load()), std::align_val_t{64});
    for (Table* table : shard.tables) ::operator delete(static_cast<void*>(table));
    for (TaskState* task : shard.spare_tasks) delete task;
    for (Extras* extras : shard.spare_extras) delete extras;
  }
}

AccountTable::Table* AccountTable::NewTable(uint32_t size) {
  void* memory = ::operator new(sizeof(Table) + size * sizeof(std::atomic<uint32_t>));
  Table* table = new (memory) Table{size - 1};
  for (uint32_t i = 0; i < size; ++i) new (table->entries() + i) std::atomic<uint32_t>(0);
  return table;
}

uint64_t AccountTable::HashOf(const KeyBytes& key) const {
  return XXH3_64bits_withSecret(key.bytes.data(), key.size, secret_.data(), secret_.size());
}

AccountTable::Found AccountTable::Find(uint16_t budget, const KeyBytes& key) const {
  const uint64_t hash = Hash(budget, key);
  if (const Found found = FindFast(hash, budget, key); found.account != nullptr) return found;
  const std::lock_guard<std::mutex> lock(ShardOf(hash).mutex);
  return FindFast(hash, budget, key);
}

AccountTable::Found AccountTable::Create(Shard& shard, uint64_t hash, uint16_t budget, const KeyBytes& key) {
  const uint32_t slot = TakeSlot(shard);
  if (slot == kSlotMask) return {};
  Account& account = SlotOf(shard, slot);
  account.lock.lock();
  account.budget = budget;
  account.pins = 0;
  account.window = 0;
  account.live = true;
  account.ended = account.overrun = 0;
  account.digested = key.digested;
  account.key_size = key.size;
  account.warned = 0;
  account.last_use_seconds = 0;
  account.begin_nanos = std::numeric_limits<int64_t>::min();
  account.end_nanos = kForever;
  account.settled = account.held = {};
  account.key_bytes = key.bytes;
  account.extras = nullptr;
  if (budget == kTaskAccount) {
    if (shard.spare_tasks.empty()) {
      account.task = new TaskState;
    } else {
      account.task = shard.spare_tasks.back();
      shard.spare_tasks.pop_back();
    }
  } else if (!shard.spare_extras.empty()) {
    account.extras = shard.spare_extras.back();
    shard.spare_extras.pop_back();
  }
  ++shard.live;
  if (IsFull(shard.live, shard.table.load(std::memory_order_relaxed)->mask + 1)) Grow(shard);
  Insert(*shard.table.load(std::memory_order_relaxed), hash, slot);
  return {&account, static_cast<uint32_t>(&shard - shards_.get()) << kSlotBits | slot, true};
}

uint32_t AccountTable::TakeSlot(Shard& shard) {
  if (!shard.free_slots.empty()) {
    const uint32_t slot = shard.free_slots.back();
    shard.free_slots.pop_back();
    return slot;
  }
  const uint32_t slot = shard.used.load(std::memory_order_relaxed);
  if (slot >= kFirstChunk * ((1u << kChunks) - 1))
    return kSlotMask;  // Four million in one shard: a billion in all.
  const int chunk = std::bit_width(slot / kFirstChunk + 1) - 1;
  if (shard.chunks[chunk].load(std::memory_order_relaxed) == nullptr) {
    // Not touched before it is used: pages that nobody writes cost nothing.
    void* memory = ::operator new (sizeof(Account) * (kFirstChunk << chunk), std::align_val_t{64});
    shard.chunks[chunk].store(static_cast<Account*>(memory), std::memory_order_release);
  }
  new (&SlotOf(shard, slot)) Account;
  shard.used.store(slot + 1, std::memory_order_release);
  return slot;
}

void AccountTable::Insert(Table& table, uint64_t hash, uint32_t slot) {
  uint64_t at = hash;
  while (table.entries()[at & table.mask].load(std::memory_order_relaxed) != 0) ++at;
  table.entries()[at & table.mask].store(EntryOf(hash, slot), std::memory_order_release);
}

void AccountTable::Grow(Shard& shard) {
  Table& old = *shard.table.load(std::memory_order_relaxed);
  Table* grown = NewTable((old.mask + 1) * 2);
  for (uint32_t i = 0; i <= old.mask; ++i) {
    const uint32_t entry = old.entries()[i].load(std::memory_order_relaxed);
    if (entry == 0) continue;
    const uint32_t slot = (entry & kSlotMask) - 1;
    const Account& account = SlotOf(shard, slot);  // Its key changes only under the mutex that we hold.
    Insert(*grown, Hash(account.budget, account.Key()), slot);
  }
  shard.tables.push_back(grown);
  shard.table.store(grown, std::memory_order_release);
}

void AccountTable::Erase(Shard& shard, Account& account, uint32_t slot) {
  Table& table = *shard.table.load(std::memory_order_relaxed);
  const auto entry_at = [&](uint64_t i) -> std::atomic<uint32_t>& { return table.entries()[i & table.mask]; };
  uint64_t hole = Hash(account.budget, account.Key());
  while ((entry_at(hole).load(std::memory_order_relaxed) & kSlotMask) != slot + 1) ++hole;
  // Closes the gap: entries behind it move up unless that would put them before their place.
  for (uint64_t next = hole + 1;; ++next) {
    const uint32_t entry = entry_at(next).load(std::memory_order_relaxed);
    if (entry == 0) break;
    const Account& moved = SlotOf(shard, (entry & kSlotMask) - 1);
    const uint64_t home = Hash(moved.budget, moved.Key()) & table.mask;
    if (((next - home) & table.mask) < ((next - hole) & table.mask)) continue;
    entry_at(hole).store(entry, std::memory_order_release);
    hole = next;
  }
  entry_at(hole).store(0, std::memory_order_release);

  account.live = false;
  if (account.follows_task()) {
    account.task->parent.store(kNoAccount, std::memory_order_relaxed);
    account.task->next_repeat = 0;
    account.task->started_nanos = 0;
    account.task->own_steps = 0;
    account.task->repeats = {};
    shard.spare_tasks.push_back(account.task);
  } else if (account.extras != nullptr) {
    account.extras->presumed = {};
    account.extras->presumed_since_nanos = std::numeric_limits<int64_t>::min();
    account.extras->top_ups = 0;
    shard.spare_extras.push_back(account.extras);
  }
  account.extras = nullptr;
  --shard.live;
  shard.free_slots.push_back(slot);
}

int64_t AccountTable::count() const {
  int64_t sum = 0;
  for (uint32_t i = 0; i < kShards; ++i) {
    const std::lock_guard<std::mutex> lock(shards_[i].mutex);
    sum += shards_[i].live;
  }
  return sum;
}

int64_t AccountTable::slots() const {
  int64_t sum = 0;
  for (uint32_t i = 0; i < kShards; ++i) sum += shards_[i].used.load(std::memory_order_acquire);
  return sum;
}

int64_t AccountTable::memory_bytes() const {
  int64_t sum = sizeof(*this);
  for (uint32_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    const std::lock_guard<std::mutex> lock(shard.mutex);
    sum += sizeof(Shard) + shard.free_slots.capacity() * sizeof(uint32_t);
    for (Table* table : shard.tables) sum += sizeof(Table) + (table->mask + 1) * sizeof(uint32_t);
    for (uint32_t slot = 0; slot < shard.used.load(); ++slot) {
      Account& account = SlotOf(shard, slot);
      const std::lock_guard<SpinLock> account_lock(account.lock);
      sum += sizeof(Account);
      if (!account.live) continue;
      if (account.follows_task()) sum += sizeof(TaskState);
      if (const Extras* extras = account.MaybeExtras())
        sum += sizeof(Extras) + (extras->slices != nullptr ? sizeof(SliceRing) : 0);
    }
    sum += shard.spare_tasks.size() * sizeof(TaskState) + shard.spare_extras.size() * sizeof(Extras);
  }
  return sum;
}

}  // namespace purser::budget
