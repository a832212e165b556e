#ifndef PURSER_ENGINE_RECOVERY_SNAPSHOT_KEEPER_H_
#define PURSER_ENGINE_RECOVERY_SNAPSHOT_KEEPER_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "engine/recovery/journal.h"
#include "engine/revision/revision.h"

namespace purser {

// Keeps snapshots beside a running engine, so that opening a ledger after a kill reads the frames since the
// last one and not those of a year. It never looks at the engine's accounts: accounts are a fold of the log,
// so a thread of its own rebuilds a second set of them from the last snapshot and the frames after it, which
// the running engine notices only as CPU load (about 0.7 us per frame) and, meanwhile,
// the memory of that second set.
class SnapshotKeeper {
 public:
  struct Options {
    uint64_t kept_through = 0;  // What the newest snapshot reaches by now.
    // A snapshot is due after so many frames, or four times as many as there are accounts, whichever is more:
    // writing snapshots then costs less than writing the log. 0: only when Keep() is called.
    int64_t frames_between = 0;
    // The policy in use. Asked after the end of the snapshot was fixed, so that every frame in it was written
    // under this policy or an earlier one: no budget misses frames that the snapshot stands for.
    std::function<std::shared_ptr<const Revision>()> current_revision;
  };

  // `journal` must outlive this.
  SnapshotKeeper(Journal* journal, const Options& options);
  // Gives up a snapshot that is under way.
  ~SnapshotKeeper();

  // Keeps one now, in the caller's thread.
  absl::Status Keep();

  // The sequence number that the newest snapshot reaches.
  uint64_t kept_through() const { return kept_through_.load(std::memory_order_relaxed); }

 private:
  void Run();
  bool IsDue() const;

  Journal& journal_;
  const Options options_;
  std::mutex keeping_;  // One at a time.
  std::atomic<uint64_t> kept_through_;
  std::atomic<int64_t> accounts_{0};  // In the newest snapshot.

  std::atomic<bool> closing_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_RECOVERY_SNAPSHOT_KEEPER_H_
