#ifndef PURSER_ENGINE_BUDGET_STATE_H_
#define PURSER_ENGINE_BUDGET_STATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/budget/amounts.h"

namespace purser::budget {

// The state of Accounts as plain values, for snapshots and logs. Whoever writes them chooses the encoding.

// One account. The name of the account that follows a task itself, instead of a budget's, is empty.
struct AccountState {
  std::string budget;
  std::string key;  // Opaque bytes.
  bool digested = false;
  bool ended = false;
  bool overrun = false;
  uint8_t warned = 0;
  uint16_t window = 0;  // WindowSpec::Fingerprint.
  int64_t begin_nanos = 0;
  int64_t end_nanos = 0;
  int64_t last_use_nanos = 0;  // To the second.
  int64_t presumed_since_nanos = 0;
  // Of the current window; what open holds set aside or are presumed to have spent comes with the holds.
  Amounts settled;

  struct TopUp {
    Amounts amounts;
    int64_t expires_at_nanos = 0;

    friend bool operator==(const TopUp&, const TopUp&) = default;
  };
  std::vector<TopUp> top_ups;

  struct Slice {  // Of a rolling window: what was booked in it, presumed amounts excepted.
    int64_t index = 0;
    Amounts settled;

    friend bool operator==(const Slice&, const Slice&) = default;
  };
  std::vector<Slice> slices;

  // Of the account that follows a task.
  struct Repeat {
    uint64_t fingerprint = 0;
    int32_t count = 0;

    friend bool operator==(const Repeat&, const Repeat&) = default;
  };
  bool has_parent = false;
  std::string parent_key;
  bool parent_digested = false;
  int64_t started_nanos = 0;
  int64_t own_steps = 0;
  std::vector<Repeat> repeats;

  friend bool operator==(const AccountState&, const AccountState&) = default;
};

enum class HoldPhase : uint8_t { kHeld = 1, kDispatched = 2, kPresumed = 3 };

// One open hold.
struct HoldState {
  uint64_t ticket = 0;
  HoldPhase phase = HoldPhase::kHeld;
  int64_t expires_at_nanos = 0;  // Of the phase.
  int64_t presumed_at_nanos = 0;
  int64_t booked_at_nanos = 0;  // The first settlement in part.
  uint64_t fingerprint = 0;
  Amounts worst;
  Amounts likely;
  Amounts booked;  // Settled in part.

  struct Leg {
    std::string budget;  // Empty: the account that follows a task.
    std::string key;
    bool digested = false;
    bool likely = false;  // Holds `likely` instead of `worst`.
    bool waived = false;

    friend bool operator==(const Leg&, const Leg&) = default;
  };
  std::vector<Leg> legs;

  friend bool operator==(const HoldState&, const HoldState&) = default;
};

// A task or session that ended lately: 128 bits of the digest of its name, and when.
struct EndedState {
  uint64_t digest_high = 0;
  uint64_t digest_low = 0;
  int64_t ended_nanos = 0;

  friend bool operator==(const EndedState&, const EndedState&) = default;
};

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_STATE_H_
