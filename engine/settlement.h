#ifndef PURSER_ENGINE_SETTLEMENT_H_
#define PURSER_ENGINE_SETTLEMENT_H_

#include <purser/usage.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace purser {

// What a caller tells Engine::Settle, and what it learns from it. Everything here is a view: it is read
// during the call only. Money in nano-dollars.

// What else the same inference cost: the embedding of its query, the search, the reranking, a tool. It
// becomes line items of the call's record and counts in its budgets, so that the record says what the whole
// answer cost. Any number of them count; a record keeps 16 lines, of which the last then stands for all
// further ones: its category OTHER, its meter "further", its quantity how many they are.
struct ExtraCost {
  enum class Kind : uint8_t { kEmbedding, kSearch, kRerank, kTool, kOther };
  Kind kind = Kind::kOther;
  // Either what it cost ...
  int64_t cost_nanos = 0;
  // ... or what it used of a model in the price books.
  std::string_view model{};
  std::string_view provider{};
  const Usage* usage = nullptr;
};

// What became of a dispatched call. Give the usage in one of two forms; with neither it is unknown.
struct CallResult {
  // False: a stream goes on; `usage` is what it has used so far. The accounts count it; no record is written
  // yet.
  bool final = true;
  const Usage* usage = nullptr;      // Normalised, or ...
  std::string_view response_json{};  // ... the provider's response body, with its usage block.
  std::string_view api_flavor{};     // Of response_json, where a provider has several ("chat", "responses").
  std::span<const ExtraCost> extras{};

  int32_t latency_ms = 0;  // 0: not measured.
  int32_t time_to_first_token_ms = 0;
  bool failed = false;         // No usable answer came. What was used is booked all the same.
  int8_t success = -1;         // Was the answer good? 1 yes, 0 no, -1 not known.
  int64_t revenue_nanos = -1;  // What this call earned. -1: as its request class says.
};

enum class SettleResult : uint8_t {
  kSettled,
  kAlreadySettled,  // An earlier call booked it.
  kUnknownTicket,   // Never granted, voided, or settled long ago.
  kNotBooked,       // The ledger cannot be written; the ticket stays pending. Try again.
  kNotRecorded,     // The same under a policy that serves on: settled in the accounts, and in no ledger.
  kForked,          // This process is a fork of the one that opened the engine: settle there.
  kNotSynced,       // Booked as kProcess promises; the device refused to make it kSync.
};

struct Settlement {
  SettleResult result = SettleResult::kUnknownTicket;
  int64_t cost_nanos = 0;
  int64_t input_nanos = 0;     // Of the cost: everything on the way in, caches included.
  int64_t output_nanos = 0;    // Of the cost: everything on the way out.
  bool usage_unknown = false;  // Booked at the expected cost.
  bool overrun = false;        // The cost is above what was held.
};

// An answer for Engine::StoreInCache.
struct CacheableAnswer {
  std::string_view text{};
  int64_t cost_nanos = -1;  // What the call cost (Settlement::cost_nanos), which a hit saves. -1: the
                            // expected cost.
  int64_t ttl_nanos = 0;    // Shorter than the policy's; 0: the policy's.
  // Handles for cache()->Invalidate, besides the model and the policy's name.
  std::span<const std::string_view> tags{};
  std::span<const std::string_view> source_versions{};  // "pricing.md@7": the documents that it draws on.
  // Equal for answers that mean the same, for verified mode. Empty: the text itself.
  std::string_view meaning{};
};

}  // namespace purser

#endif  // PURSER_ENGINE_SETTLEMENT_H_
