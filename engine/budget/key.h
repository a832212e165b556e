#ifndef PURSER_ENGINE_BUDGET_KEY_H_
#define PURSER_ENGINE_BUDGET_KEY_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "engine/budget/plan.h"

namespace purser::budget {

// The bytes of an account's key: the values of the budget's fields, each but the last after its length, so
// that no two lists of values make the same bytes. Keys of up to 48 bytes are kept whole; of longer ones the
// first 16 bytes and the SHA-256 of the whole, so that two of them are confused only if somebody finds a
// SHA-256 collision.
struct KeyBytes {
  static constexpr int kMaxSize = 48;
  static constexpr int kDigestedPrefix = 16;

  uint8_t size = 0;
  bool digested = false;
  std::array<char, kMaxSize> bytes = {};  // Zeros from `size` on, so that keys are compared whole.

  std::string_view view() const { return {bytes.data(), size}; }
  friend bool operator==(const KeyBytes& a, const KeyBytes& b) {
    return a.size == b.size && a.digested == b.digested && a.bytes == b.bytes;
  }
};

// The key of the account that `scope` has in `budget`. Does not allocate.
KeyBytes MakeKey(const Budget& budget, const Scope& scope);

// The key of an account that follows a task, which is also its key in budgets that are per task.
KeyBytes MakeTaskKey(std::string_view tenant, std::string_view task);

// For people: "acme/customer-7", with what does not print as \xNN and ".." for what is missing of a long key.
std::string KeyText(const Budget& budget, const KeyBytes& key);

}  // namespace purser::budget

#endif  // PURSER_ENGINE_BUDGET_KEY_H_
