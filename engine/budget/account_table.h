#ifndef PURSER_ENGINE_BUDGET_ACCOUNT_TABLE_H_
#define PURSER_ENGINE_BUDGET_ACCOUNT_TABLE_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/budget/account.h"

namespace purser::budget {

// Finds accounts by budget and key. 256 shards, each with an open-addressing table of 4-byte entries (10 bits
// of the hash and a slot) and its own slots.
//
// Readers take no lock but the account's: they follow entries to a slot, lock it, and look whether it is the
// account they meant. Whatever a reader misses because a table is being changed or has been replaced, it
// finds under the shard's mutex, which all changes are made under. Slots and replaced tables stay mapped
// until the end, so that a late reader touches nothing that is not there; as tables double, all replaced ones
// of a shard together are smaller than the current one.
//
// Order of locks: a shard's mutex, then an account's lock. Nobody waits for a mutex while holding an account.
class AccountTable {
 public:
  // `seed` 0: random.
  explicit AccountTable(uint64_t seed);
  ~AccountTable();
  AccountTable(const AccountTable&) = delete;
  AccountTable& operator=(const AccountTable&) = delete;

  struct Found {
    Account* account = nullptr;  // Locked. Null: there is none (or none may be created).
    AccountRef ref = kNoAccount;
    bool created = false;
  };

  Found Find(uint16_t budget, const KeyBytes& key) const;

  uint64_t HashOf(const KeyBytes& key) const;

  // `may_create()` is asked, under the shard's mutex, before an account is created; `created(account)`
  // completes it.
  template <typename MayCreate>
  Found FindOrCreate(uint16_t budget, const KeyBytes& key, MayCreate&& may_create) {
    return FindOrCreate(budget, key, HashOf(key), may_create);
  }
  // For a caller who asks for one key in several budgets: with its HashOf().
  template <typename MayCreate>
  Found FindOrCreate(uint16_t budget, const KeyBytes& key, uint64_t key_hash, MayCreate&& may_create) {
    const uint64_t hash = Mix(key_hash, budget, key.digested);
    if (const Found found = FindFast(hash, budget, key); found.account != nullptr) return found;
    Shard& shard = ShardOf(hash);
    const std::lock_guard<std::mutex> lock(shard.mutex);
    if (const Found found = FindFast(hash, budget, key); found.account != nullptr) return found;
    if (!may_create()) return {};
    return Create(shard, hash, budget, key);
  }

  // The account in a slot. It is the same as ever while it is pinned; otherwise lock it and look.
  Account& At(AccountRef ref) const { return SlotOf(shards_[ref >> kSlotBits], ref & kSlotMask); }

  // Forgets the account if, locked, it is live, not pinned, and `forgettable(account)`. Returns whether it
  // was forgotten; `*parent` is then the task account that it pinned, or kNoAccount.
  template <typename Forgettable>
  bool Forget(AccountRef ref, AccountRef* parent, Forgettable&& forgettable) {
    Shard& shard = shards_[ref >> kSlotBits];
    const std::lock_guard<std::mutex> shard_lock(shard.mutex);
    Account& account = SlotOf(shard, ref & kSlotMask);
    const std::lock_guard<SpinLock> account_lock(account.lock);
    if (!account.live || account.pins != 0 || !forgettable(account)) return false;
    *parent = account.follows_task() ? account.task->parent.load(std::memory_order_relaxed) : kNoAccount;
    Erase(shard, account, ref & kSlotMask);
    return true;
  }

  // Visits up to `limit` slots from `*cursor` on, and moves the cursor; at the end it starts over.
  // `visit(ref, account)` runs with the account locked.
  template <typename Visit>
  void Walk(uint64_t* cursor, int64_t limit, Visit&& visit) const {
    uint32_t shard = static_cast<uint32_t>(*cursor >> 32) % kShards;
    uint32_t slot = static_cast<uint32_t>(*cursor);
    for (uint32_t shards_left = kShards; shards_left > 0 && limit > 0; --shards_left) {
      const uint32_t used = shards_[shard].used.load(std::memory_order_acquire);
      for (; slot < used && limit > 0; ++slot, --limit) {
        Account& account = SlotOf(shards_[shard], slot);
        const std::lock_guard<SpinLock> lock(account.lock);
        if (account.live) visit(shard << kSlotBits | slot, account);
      }
      if (slot < used) break;
      shard = (shard + 1) % kShards;
      slot = 0;
    }
    *cursor = static_cast<uint64_t>(shard) << 32 | slot;
  }

  int64_t count() const;
  // Slots that Walk would visit.
  int64_t slots() const;
  int64_t memory_bytes() const;

 private:
  static constexpr int kShardBits = 8;
  static constexpr uint32_t kShards = 1u << kShardBits;
  static constexpr int kSlotBits = 22;
  static constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;
  // Chunks of slots double: 64, 128, 256 ...
  static constexpr uint32_t kFirstChunk = 64;
  static constexpr int kChunks = kSlotBits - 6;
  static constexpr int kSecretSize = 192;

  // Entries follow in memory. 0: free; otherwise 10 bits of the hash above 1 + slot.
  struct Table {
    uint32_t mask;
    std::atomic<uint32_t>* entries() { return reinterpret_cast<std::atomic<uint32_t>*>(this + 1); }
  };
  static Table* NewTable(uint32_t size);
  static uint32_t EntryOf(uint64_t hash, uint32_t slot) {
    return static_cast<uint32_t>(hash >> 44 & 0x3ff) << kSlotBits | (slot + 1);
  }

  struct alignas(64) Shard {
    std::atomic<Table*> table{nullptr};
    std::array<std::atomic<Account*>, kChunks> chunks = {};
    std::atomic<uint32_t> used{0};  // Slots that have ever been in use.
    // Below: under the mutex.
    std::mutex mutex;
    uint32_t live = 0;
    std::vector<uint32_t> free_slots;
    std::vector<Table*> tables;  // The current one and those it replaced.
    std::vector<TaskState*> spare_tasks;
    std::vector<Extras*> spare_extras;
  };

  static Account& SlotOf(const Shard& shard, uint32_t slot) {
    const int chunk = std::bit_width(slot / kFirstChunk + 1) - 1;
    const uint32_t first = kFirstChunk * ((1u << chunk) - 1);
    return shard.chunks[chunk].load(std::memory_order_acquire)[slot - first];
  }
  Shard& ShardOf(uint64_t hash) const { return shards_[hash >> (64 - kShardBits)]; }
  static uint64_t Mix(uint64_t key_hash, uint16_t budget, bool digested) {
    uint64_t hash = key_hash ^ (uint64_t{budget} << 1 | digested) * 0x9e3779b97f4a7c15u;
    hash *= 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
  }
  uint64_t Hash(uint16_t budget, const KeyBytes& key) const { return Mix(HashOf(key), budget, key.digested); }

  // Without a lock; may miss what is there.
  Found FindFast(uint64_t hash, uint16_t budget, const KeyBytes& key) const;
  Found Create(Shard& shard, uint64_t hash, uint16_t budget, const KeyBytes& key);
  void Erase(Shard& shard, Account& account, uint32_t slot);
  void Insert(Table& table, uint64_t hash, uint32_t slot);
  void Grow(Shard& shard);
  uint32_t TakeSlot(Shard& shard);

  std::array<uint8_t, kSecretSize> secret_;
  std::unique_ptr<Shard[]> shards_;
};

inline AccountTable::Found AccountTable::FindFast(uint64_t hash, uint16_t budget, const KeyBytes& key) const {
  const uint32_t shard_index = static_cast<uint32_t>(hash >> (64 - kShardBits));
  const Shard& shard = shards_[shard_index];
  Table& table = *shard.table.load(std::memory_order_acquire);
  const uint32_t tag = EntryOf(hash, 0) >> kSlotBits;
  for (uint32_t probe = 0; probe <= table.mask; ++probe) {
    const uint32_t entry = table.entries()[(hash + probe) & table.mask].load(std::memory_order_acquire);
    if (entry == 0) break;
    if (entry >> kSlotBits != tag) continue;
    const uint32_t slot = (entry & kSlotMask) - 1;
    Account& account = SlotOf(shard, slot);
    account.lock.lock();
    if (account.Is(budget, key)) return {&account, shard_index << kSlotBits | slot, false};
    account.lock.unlock();
  }
  return {};
}

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_ACCOUNT_TABLE_H_
