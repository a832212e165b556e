// Saving a cache to one file, and loading it.

#include <cstring>

#include "cache/cache_impl.h"
#include "cache/file.h"
#include "cache/kernels.h"
#include "cache/snapshot_file.h"

namespace purser::cache {
SavedEntry Describe(const StoredEntry& record, const Options& options) {
  SavedEntry entry;
  entry.name_space = record.name_space->name;
  entry.request_class = options.classes[record.request_class].name;
  record.ForEachKeyPart([&entry](std::string_view part) { entry.key.push_back(part); });
  entry.text = record.text();
  entry.answer = record.answer();
  for (const Label* label : record.labels()) entry.labels.emplace_back(label->kind, label->text);
  if (record.partition != nullptr) {
    entry.embedding_model = record.partition->embedding_model;
    entry.compatibility = record.partition->compatibility;
    entry.raw_dimension = record.partition->raw_dimension;
    entry.vector = {reinterpret_cast<const char*>(record.vector()), record.dimension * sizeof(int16_t)};
  }
  entry.stored_nanos = record.stored_nanos;
  entry.expires_nanos = record.expires_nanos;
  entry.saved_nano_usd = record.saved_nano_usd;
  entry.answer_hash = record.answer_hash;
  entry.hits = record.hits.load(std::memory_order_relaxed);
  entry.tried = record.tried.load(std::memory_order_relaxed);
  entry.right = record.right.load(std::memory_order_relaxed);
  return entry;
}

std::vector<const StoredEntry*> Cache::Impl::LiveAt(int64_t now_nanos) const {
  std::vector<const StoredEntry*> records;
  records.reserve(eviction_.size());
  eviction_.ForEach([&](const StoredEntry* record) {
    if (record->ServesAt(now_nanos)) records.push_back(record);
  });
  return records;
}

std::string Cache::Impl::SnapshotOf(const std::vector<const StoredEntry*>& records) const {
  SnapshotWriter writer;
  for (const StoredEntry* record : records) writer.Add(Describe(*record, options_));
  for (const auto& [name_space, state] : LearnedStates()) writer.Add(SnapshotLearned{name_space, state});
  return writer.Finish();
}

absl::Status Cache::Impl::SaveTo(const std::string& path, int64_t now_nanos) const {
  std::string snapshot;
  {
    // Records are immutable and live while the guard is held: the mutex is needed only to list them.
    const Epochs::Guard guard = epochs_.Enter();
    std::unique_lock lock(mutex_);
    const std::vector<const StoredEntry*> records = LiveAt(now_nanos);
    lock.unlock();
    snapshot = SnapshotOf(records);
  }
  return ReplaceFile(path, snapshot);
}

absl::Status Cache::Impl::LoadFrom(const std::string& path, int64_t now_nanos) {
  std::string bytes;
  if (absl::Status status = ReadFile(path, &bytes); !status.ok()) return status;
  return ReadFrom(bytes, now_nanos);
}

absl::Status Cache::Impl::ReadFrom(std::string_view snapshot, int64_t now_nanos) {
  return ReadSnapshot(
      snapshot, [&](const SavedEntry& loaded) { Load(loaded, now_nanos); },
      [&](const SnapshotLearned& learned) {
        const std::lock_guard lock(mutex_);
        Namespace* name_space = FindNamespace(learned.name_space);
        if (name_space == nullptr || name_space->verifier == nullptr) return;
        name_space->verifier->Restore(learned.state);
        CountNamespace(name_space);
        MakeRoom(now_nanos);
        epochs_.Reclaim();
      });
}

std::vector<std::pair<std::string, std::string>> Cache::Impl::LearnedStates() const {
  std::vector<std::pair<std::string, std::string>> states;
  const std::lock_guard lock(mutex_);
  namespaces_.ForEach([&states](const Namespace* name_space) {
    if (name_space->verifier == nullptr || name_space->verifier->GetReport().judged == 0) return;
    states.emplace_back(name_space->name, name_space->verifier->Save());
  });
  return states;
}

void Cache::Impl::Load(const SavedEntry& loaded, int64_t now_nanos) {
  const size_t class_index = ClassOf(loaded.request_class);
  if (class_index == options_.classes.size() || options_.classes[class_index].mode == Mode::kOff) return;
  if (now_nanos >= loaded.expires_nanos) return;
  std::vector<float> raw(loaded.raw_dimension);
  for (size_t i = 0; i < raw.size(); ++i) {
    int16_t component;
    std::memcpy(&component, loaded.vector.data() + i * sizeof(component), sizeof(component));
    raw[i] = component;
  }
  std::vector<float> unit;
  if (options_.classes[class_index].mode != Mode::kExact) Normalise(raw, &unit);
  Draft draft;
  draft.name_space = loaded.name_space;
  draft.key = loaded.key;
  draft.compatibility = loaded.compatibility;
  draft.text = loaded.text;
  draft.answer = loaded.answer;
  draft.embedding_model = loaded.embedding_model;
  draft.raw_dimension = loaded.raw_dimension;
  draft.unit = unit;
  draft.class_index = class_index;
  for (const auto& [kind, text] : loaded.labels) draft.labels.emplace_back(static_cast<uint8_t>(kind), text);
  draft.stored_nanos = loaded.stored_nanos;
  draft.expires_nanos = loaded.expires_nanos;
  draft.saved_nano_usd = loaded.saved_nano_usd;
  draft.answer_hash = loaded.answer_hash;
  draft.hits = static_cast<uint32_t>(loaded.hits);
  draft.tried = static_cast<uint16_t>(loaded.tried);
  draft.right = static_cast<uint16_t>(loaded.right);
  const std::lock_guard lock(mutex_);
  draft.generation = generation_.load();
  Add(draft, now_nanos, nullptr);
}

}  // namespace purser::cache
