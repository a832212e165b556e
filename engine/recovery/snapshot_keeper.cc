#include "engine/recovery/snapshot_keeper.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "engine/ledger/log_replay.h"
#include "engine/recovery/rebuild.h"

namespace purser {
namespace {

constexpr std::chrono::seconds kBetweenLooks(1);
constexpr int64_t kFramesPerAccount = 4;
constexpr int64_t kAccountsPerSweep = 20'000;

}  // namespace

SnapshotKeeper::SnapshotKeeper(Journal* journal, const Options& options)
    : journal_(*journal), options_(options), kept_through_(options.kept_through) {
  if (options.frames_between > 0) thread_ = std::thread([this] { Run(); });
}

SnapshotKeeper::~SnapshotKeeper() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_.store(true, std::memory_order_relaxed);
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool SnapshotKeeper::IsDue() const {
  const auto frames = static_cast<int64_t>(journal_.last_sequence() - kept_through());
  return frames >=
         std::max(options_.frames_between, kFramesPerAccount * accounts_.load(std::memory_order_relaxed));
}

void SnapshotKeeper::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!wake_.wait_for(lock, kBetweenLooks, [this] { return closing_.load(std::memory_order_relaxed); })) {
    lock.unlock();
    // Without it the next start reads more of the log; tried again at the next look.
    if (IsDue()) (void)Keep();
    lock.lock();
  }
}

absl::Status SnapshotKeeper::Keep() {
  const std::lock_guard<std::mutex> one_at_a_time(keeping_);
  // In this order: every frame up to `through` was written under this revision or an earlier one, so that no
  // budget of a later one misses what the snapshot stands for.
  const uint64_t through = journal_.last_sequence();
  const std::shared_ptr<const Revision> revision = options_.current_revision();
  // Frames are handed out in order but finished in any; once synced, all of them up to `through` are.
  if (const absl::Status synced = journal_.Sync(through); !synced.ok()) return synced;

  Diagnostics diagnostics;
  budget::Plan plan = budget::Plan::Compile(revision->policy(), &diagnostics);
  budget::Accounts accounts{budget::Accounts::Options{}};
  accounts.Register(&plan);
  estimates::OutputEstimator outputs;
  Rebuilder rebuilder(plan, &accounts, &outputs);
  const absl::StatusOr<ledger::Replayed> replayed =
      ledger::ReplayLedger(journal_.directory(),
                           {.through_sequence = through,
                            .cancelled = [this] { return closing_.load(std::memory_order_relaxed); },
                            .files = journal_.files()},
                           [&](const ledger::Frame& frame) { return rebuilder.Apply(frame); });
  if (!replayed.ok()) return replayed.status();
  // So that what ended by being idle is not carried from snapshot to snapshot.
  // Holds stay as they are: when they expire is the engine's to say, and in the log.
  accounts.Expire(plan, rebuilder.counts().newest_nanos, kAccountsPerSweep,
                  [](const budget::ExpiringHold&) { return false; });
  const std::string bytes = WriteSnapshot(accounts, outputs, rebuilder.counts(), rebuilder.open_dispatches());
  if (const absl::Status kept = journal_.WriteSnapshot(through, bytes); !kept.ok()) return kept;
  kept_through_.store(through, std::memory_order_relaxed);
  accounts_.store(accounts.account_count(), std::memory_order_relaxed);
  return absl::OkStatus();
}

}  // namespace purser
