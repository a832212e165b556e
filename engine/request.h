#ifndef PURSER_ENGINE_REQUEST_H_
#define PURSER_ENGINE_REQUEST_H_

#include <purser/dimensions.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace purser {

// A model call about to be made, as its caller describes it. Everything is a view: nothing is copied or
// owned, and everything must stay alive for the duration of the call that it is passed to (and no longer).
//
// A field left at its default is not known or does not apply. Ids are opaque bytes of any content, zeros
// included.
//
// LIMITS. What is kept, in the ledger or in memory, has a largest size. Decide and FailOver refuse a request
// that is beyond one (Refusal::kBadRequest); the reason names the field, its size and its limit. Nothing is
// cut short: two long ids must not become one. The other methods say what they do.
//
//   each dimension (tenant, task ...)              kMaxDimensionBytes = 1024      <purser/dimensions.h>
//   own_dimensions                                 kMaxOwnDimensions = 8, names of kMaxOwnNameBytes = 64,
//                                                  values of kMaxOwnValueBytes = 256
//   id                                             kMaxRequestIdBytes = 1024
//   model, embedding_model                         kMaxModelBytes = 512
//   region, data_policy, service_tier              kMaxConstraintBytes = 256
//   unseen_digest                                  kMaxDigestBytes = 1024
//   embedding                                      kMaxEmbeddingSize = 16,384 numbers
//   Engine::TopUp, reason                          kMaxReasonBytes = 4096
//   CallResult::extras                             any number; a record keeps 16 lines, see ExtraCost
//   names of a policy, its candidates, models,     kMaxPolicyNameBytes = 512; a policy with a longer one does
//   providers, request classes and budgets         not load
//   messages, tools_json, parameters, metadata     none: they are read and never in the ledger
//
// All of them together are far below the 1 MiB that a frame of the ledger may have.
inline constexpr size_t kMaxRequestIdBytes = 1024;
inline constexpr size_t kMaxModelBytes = 512;
inline constexpr size_t kMaxConstraintBytes = 256;
inline constexpr size_t kMaxDigestBytes = 1024;
inline constexpr size_t kMaxEmbeddingSize = 16'384;
inline constexpr size_t kMaxReasonBytes = 4096;
inline constexpr size_t kMaxPolicyNameBytes = 512;

enum class Role : uint8_t { kSystem, kUser, kAssistant, kTool };

struct Message {
  Role role = Role::kUser;
  // The text; of a tool's message its result, of an assistant's its answer or the JSON of its tool calls.
  std::string_view content{};
};

// What the request needs of a model. Bits; the same names as purser.policy.Capability, whose value is the
// bit's position.
enum Need : uint32_t {
  kNeedsNothing = 0,
  kNeedsTools = 1u << 1,
  kNeedsVision = 1u << 2,
  kNeedsAudioInput = 1u << 3,
  kNeedsAudioOutput = 1u << 4,
  kNeedsJsonMode = 1u << 5,
  kNeedsStructuredOutput = 1u << 6,
  kNeedsReasoning = 1u << 7,
  kNeedsWebSearch = 1u << 8,
  kNeedsDocuments = 1u << 9,
  kNeedsPromptCaching = 1u << 10,
  kNeedsBatch = 1u << 11,
  kNeedsVideoInput = 1u << 12,
};

// Its dimensions, such as tenant and feature, are the members of Dimensions:
//   purser::Request request{{.tenant = "acme", .feature = "chat"}};
struct Request : Dimensions {
  std::string_view id{};  // Unique per call; the ledger's key.
  // The caller's own dimensions: at most kMaxOwnDimensions, with names that differ. Decide refuses a request
  // whose names or values are not as OwnDimension has them (Refusal::kBadRequest) and says which it is.
  std::span<const OwnDimension> own_dimensions{};
  int32_t step = 0;     // Which model call of its task this is, from 1. 0: not said.
  int32_t attempt = 1;  // 2 and more: a retry of the same step.

  // What is asked.
  std::string_view model{};             // The model that the caller would have used. Empty: none.
  std::span<const Message> messages{};  // The context that will be sent, oldest first; see history_tokens.
  std::string_view tools_json{};        // The tools' definitions, as they will be sent.
  int32_t tools = 0;                    // How many tools are offered.
  std::string_view parameters{};        // Whatever else changes the answer (temperature, schema ...), in one
                                        // canonical form of the caller's: part of the exact cache's key.
  int64_t max_output_tokens = 0;        // 0: as many as the model can.
  uint32_t needs = kNeedsNothing;       // Need bits.
  int32_t images = 0;
  // Anything else; read only by signals that name a key.
  std::span<const std::pair<std::string_view, std::string_view>> metadata{};

  // What the caller already knows about its size, in tokens of the model asked for.
  int64_t input_tokens = -1;   // Of the whole input. -1: estimated from messages and tools_json.
  int64_t history_tokens = 0;  // Sent before `messages` and not among them (an agent that passes only what is
                               // new); added to the estimate.
  // Of the input, what the provider's prompt cache is expected to hold: at the model that served the task or
  // session before, or, if the engine has seen none, at any.
  int64_t cached_input_tokens = 0;
  int64_t cache_write_tokens =
      0;  // Of the input, what the caller asks the provider to keep in its prompt cache.

  // Constraints.
  std::string_view region{};  // Where the call has to run: "eu" takes "eu-west-1" as well. Empty: anywhere.
  std::string_view data_policy{};   // What the model has to be cleared for. Empty: nothing.
  std::string_view service_tier{};  // Forces one of the provider's price lists. Empty: the candidate's.
  int32_t latency_limit_ms = 0;     // 0: none.
  bool deferrable = false;          // Can wait for a batch.

  // Cache.
  bool cacheable = true;          // False: private, personal or time-bound; neither looked up nor stored.
  bool has_side_effects = false;  // Its tools act: never answered from a cache.
  std::span<const float>
      embedding{};  // Of the last user turn. Empty: exact look-ups only, unless Purser embeds.
  std::string_view embedding_model{};  // Which model made it: entries of another are not compared.
  // Least cosine for a similar request's answer. Raises what the policy says, never lowers it.
  float least_similarity = 0.0F;
  // Stands for what Purser does not see and what changes the answer all the same: turns that are only counted
  // in history_tokens, images, audio, documents. Where there are such and this is empty, nothing is looked up
  // and nothing stored.
  std::string_view unseen_digest{};

  // When, since the Unix epoch. 0: the engine's clock. What is before 1970 or more than a day ahead of the
  // engine's clock is refused (Refusal::kBadRequest).
  int64_t time_nanos = 0;
};

}  // namespace purser

#endif  // PURSER_ENGINE_REQUEST_H_
