#ifndef PURSER_CACHE_CACHE_IMPL_H_
#define PURSER_CACHE_CACHE_IMPL_H_

#include <purser/cache/cache.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cache/change_log.h"
#include "cache/epoch.h"
#include "cache/eviction.h"
#include "cache/labels.h"
#include "cache/partition.h"
#include "cache/pointer_table.h"
#include "cache/stored_entry.h"
#include "cache/worth.h"

namespace purser::cache {

struct SavedEntry;

// Readers (lookup.cc) follow the tables under an epoch Guard; writers (store.cc) hold mutex_.
class Cache::Impl {
 public:
  explicit Impl(Options options);
  ~Impl();

  // lookup.cc
  Hit Lookup(const Query& query, int64_t now_nanos, std::string* answer) const;

  // store.cc
  StoreResult Store(const Entry& entry, int64_t now_nanos, uint64_t* id);
  bool InvalidateId(uint64_t id);
  void Invalidate(LabelKind kind, std::string_view label);
  void Clear();
  void Feedback(const Trial& trial, bool right);
  void Maintain(int64_t now_nanos);
  NamespaceStats StatsOf(std::string_view name_space) const;
  CacheStats Stats() const;
  std::vector<std::string> Namespaces() const;

  // persist.cc
  absl::Status SaveTo(const std::string& path, int64_t now_nanos) const;
  absl::Status LoadFrom(const std::string& path, int64_t now_nanos);

  // keep.cc
  absl::Status KeepIn(const std::string& directory, int64_t now_nanos);
  absl::Status Keep(int64_t now_nanos);
  void StopKeeping();
  absl::Status PrepareSuccessor(Impl* next, int64_t now_nanos);
  void GiveUpSuccessor();
  void HandOver(std::shared_ptr<Cache> next);

  // build.cc
  void BuildGraphs();

  // Whether this is a copy in a child that was forked since: its threads are not there, its locks may never
  // open, and its files belong to the parent.
  bool forked() const { return born_ != forks_so_far.load(std::memory_order_relaxed); }

  const Options options_;
  const bool verified_;  // A class is.
  std::atomic<uint64_t> generation_{1};

 private:
  // How often this process and its ancestors were forked since the first cache was made.
  inline static std::atomic<uint64_t> forks_so_far{0};
  static uint64_t ForksSoFar();
  const uint64_t born_ = ForksSoFar();

  enum class Leaving { kEvicted, kExpired, kInvalidated, kReplaced, kCleared };

  // All that a record is made from.
  struct Draft {
    std::string_view name_space;
    std::span<const std::string_view> key;
    std::string_view compatibility;
    std::string_view text;
    std::string_view answer;
    std::string_view embedding_model;
    size_t raw_dimension = 0;
    std::span<const float> unit;  // Empty: exact tier only.
    size_t class_index = 0;
    std::vector<std::pair<uint8_t, std::string_view>> labels;
    uint64_t generation = 0;
    int64_t stored_nanos = 0;
    int64_t expires_nanos = 0;
    int64_t saved_nano_usd = 0;
    uint64_t answer_hash = 0;
    uint32_t hits = 0;
    uint16_t tried = 0;
    uint16_t right = 0;
  };

  size_t ClassOf(std::string_view name) const;

  // Readers.
  StoredEntry* FindExact(std::string_view name_space, std::span<const std::string_view> key) const;
  void LookupSemantic(const Query& query, const ClassOptions& class_settings, int64_t now_nanos,
                      std::string* answer, Namespace* name_space, Hit* hit) const;
  void LookupVerified(const Query& query, const Partition& partition, const float* unit, int64_t now_nanos,
                      std::string* answer, Hit* hit) const;
  void NoteVeto(Veto veto, float similarity, Namespace& name_space, Hit* hit) const;
  void Answer(const StoredEntry& record, Hit::Kind kind, float similarity, int64_t now_nanos,
              std::string* answer, Hit* hit) const;
  Namespace* FindNamespace(std::string_view name) const;
  Partition* FindPartition(std::string_view name_space, std::string_view embedding_model, size_t dimension,
                           std::string_view compatibility) const;

  // Writers.
  Namespace* MakeNamespace(std::string_view name);
  Partition* MakePartition(Namespace* name_space, const Draft& draft);
  bool Outdated(const Draft& draft, uint64_t generation) const;
  StoreResult Add(const Draft& draft, int64_t now_nanos, uint64_t* id);
  void Load(const SavedEntry& loaded, int64_t now_nanos);
  absl::Status ReadFrom(std::string_view snapshot, int64_t now_nanos);
  // Under the mutex; the records stay under a Guard.
  std::vector<const StoredEntry*> LiveAt(int64_t now_nanos) const;
  std::string SnapshotOf(const std::vector<const StoredEntry*>& records) const;
  // Namespaces, with what verified mode has learned of them.
  std::vector<std::pair<std::string, std::string>> LearnedStates() const;
  void Link(StoredEntry* record, StoredEntry* replaced);
  // What is appended to the log, if there is one.
  void NoteStored(const StoredEntry& record);
  void NoteLeft(std::string_view name_space, std::span<const std::string_view> key);
  void NoteInvalidated(LabelKind kind, std::string_view label);
  void NoteCleared();
  void Apply(const ChangeLog::Change& change, int64_t now_nanos);
  // What must not come back by way of the log or of a successor: `kind` and `content` as in the log.
  bool NotesLeaving() const { return log_ != nullptr || noting_ || successor_ != nullptr; }
  void NoteLeaving(ChangeLog::Kind kind, const std::string& content);
  // The same for what a predecessor noted, here and in this cache's own log.
  void TakeLeaving(ChangeLog::Kind kind, std::string_view content);
  bool KeepDue() const;
  void KeepIfDue();
  void Erase(StoredEntry* record, Leaving why);
  void Learn(const Trial& trial, bool right);
  void ReportVerified(const Verifier::Report& report, NamespaceStats* stats) const;
  void CountNamespace(Namespace* name_space);
  void CountPartition(Partition* partition);
  void DropIfEmpty(Partition* partition);
  void DropIfEmpty(Namespace* name_space);
  bool MergeDue(const Partition& partition) const;
  void WakeBuilder();
  void StopBuilder();
  void BuilderLoop();
  Partition* NextToMerge();
  void MergeOne(Partition* partition);
  void Sweep(int64_t now_nanos, size_t most);
  void MakeRoom(int64_t now_nanos);
  size_t BytesHeld() const;

  mutable std::vector<Worth> worth_;  // By class.
  mutable Epochs epochs_;
  PointerTable<StoredEntry> exact_{&epochs_};
  PointerTable<Namespace> namespaces_{&epochs_};
  PointerTable<Partition> partitions_{&epochs_};

  mutable std::mutex mutex_;
  Labels labels_{&epochs_};
  Eviction eviction_;
  absl::flat_hash_map<uint64_t, StoredEntry*> by_id_;
  absl::flat_hash_map<uint64_t, Namespace*> namespace_by_id_;
  uint64_t next_id_ = 1;
  uint64_t next_namespace_id_ = 1;
  size_t record_bytes_ = 0;
  size_t payload_bytes_ = 0;
  size_t space_bytes_ = 0;  // Namespaces and partitions with their indexes.
  int64_t last_now_nanos_ = 0;
  std::unique_ptr<ChangeLog> log_;  // Null: the cache is not kept.
  uint64_t snapshot_bytes_ = 0;
  uint64_t unlogged_ = 0;  // Stores since the log was given up.
  // While a successor is being prepared, what has left since it was copied; then the successor itself.
  bool noting_ = false;
  std::vector<std::pair<ChangeLog::Kind, std::string>> noted_;
  std::shared_ptr<Cache> successor_;  // Its mutex is taken under this one's, never the other way.

  // The builder of graphs and snapshots. Its thread is started by the first one that is due.
  std::mutex building_;  // Held for a whole merge; before mutex_.
  std::mutex keeping_;   // Held for a whole snapshot; before mutex_.
  std::condition_variable wake_;
  bool work_ = false;  // Under mutex_.
  std::atomic<bool> stop_{false};
  std::atomic<size_t> merging_bytes_{0};
  std::thread builder_;
};

// As it is written to files.
SavedEntry Describe(const StoredEntry& record, const Options& options);

// Scales to unit length and pads with zeros. False for a NaN, an infinity, or nothing but zeros.
bool Normalise(std::span<const float> embedding, std::vector<float>* unit);

// Of a namespace and the parts of a key.
Hash128 KeyHash(std::string_view name_space, std::span<const std::string_view> key);
Hash128 PartitionHash(std::string_view name_space, std::string_view embedding_model, size_t dimension,
                      std::string_view compatibility);

}  // namespace purser::cache

#endif  // PURSER_CACHE_CACHE_IMPL_H_
