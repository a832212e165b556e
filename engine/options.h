#ifndef PURSER_ENGINE_OPTIONS_H_
#define PURSER_ENGINE_OPTIONS_H_

#include <purser/cache/embedder.h>
#include <purser/clock.h>
#include <purser/policy_source.h>

#include <cstdint>
#include <memory>
#include <string>

namespace purser {

class LiveBooks;  // <purser/live_books.h>

// What a settled call survives once Settle has returned.
enum class Durability : uint8_t {
  kProcess,  // The death of this process at any instruction: the record is in the kernel's hands.
  kSync,     // Loss of power: the record is on the device (one fdatasync, shared by concurrent calls).
};

struct Options {
  // What the engine does.
  PolicySource source{};
  std::string ledger_dir{};  // Created if it does not exist. Empty: nothing outlives the engine.
  Durability durability = Durability::kProcess;
  // Write a snapshot every this many frames (two per call), which bounds recovery to about that many frames
  // (0.7 us each). A background thread rebuilds a second copy of the accounts for it, so memory briefly
  // doubles. 0: write snapshots only when the ledger is opened and closed.
  int64_t frames_between_snapshots = 1'000'000;
  // Embeds the last user turn of requests that bring no embedding, where the policy names no embedder. Asked
  // only after an exact look-up has missed. Null: such requests are answered exactly or not at all.
  std::shared_ptr<const cache::Embedder> embedder = nullptr;
  // False: leave the policy's persistence_directory alone. For trying a policy beside the engine that serves
  // by it.
  bool keep_cache = true;
  // Reload refuses a policy and books under which fewer than this share of the candidates could be priced,
  // unless that share is no smaller than the one it serves with, or the policy allows what is unpriced
  // (routing.allow_unpriced). So a book that was cut short does not take a working policy out of service. 0:
  // no such bound; 1: all must be priced.
  double least_priced_share = 0.5;

  // How it does it.
  // Must outlive the engine. Null: the system's. A reading more than a year after the one before is not
  // believed: the engine's time stands still until the clock is right, so that no window of a far future is
  // begun.
  const Clock* clock = nullptr;
  LiveBooks* live_books = nullptr;  // Receives every booked call. Must outlive the engine. Null: none.
};

}  // namespace purser

#endif  // PURSER_ENGINE_OPTIONS_H_
