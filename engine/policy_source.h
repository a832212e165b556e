#ifndef PURSER_ENGINE_POLICY_SOURCE_H_
#define PURSER_ENGINE_POLICY_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace purser {

class Revision;

// Where a policy and its prices come from: for Engine::Open, Reload and LoadShadowPolicy, and for
// CheckPolicy.
struct PolicySource {
  std::string policy_file{};               // Protobuf text of purser.policy.Policy ...
  std::string policy_text{};               // ... or that text itself, if policy_file is empty.
  std::vector<std::string> price_books{};  // Protobuf text of purser.pricing.PriceBook. Later books override
                                           // earlier ones. Empty: the book bundled with Purser.
};

// Something that `purser check` would print.
struct PolicyFinding {
  enum class Severity : uint8_t { kError, kWarning };
  Severity severity = Severity::kError;
  std::string file;
  int line = 0;  // From 1; 0: the whole file.
  int column = 0;
  std::string message;  // What is wrong and what was expected; names the field.

  // "policy.textproto:12:3: error: ..."
  std::string ToString() const;
};

// Compiles a policy with its price books, as Open would, and returns everything that is wrong or suspicious,
// in the order of files and lines. The policy loads if none of the findings is an error. Nothing is started,
// and no file is written.
[[nodiscard]] std::vector<PolicyFinding> CheckPolicy(const PolicySource& source);

// A policy with its prices, compiled and loaded. An opaque handle: copies share what they stand for and keep
// it alive. Empty by default. One handle is for one thread; copies may go to others.
class LoadedPolicy {
 public:
  LoadedPolicy() = default;
  explicit LoadedPolicy(std::shared_ptr<const Revision> revision) : revision_(std::move(revision)) {}
  explicit operator bool() const { return revision_ != nullptr; }

  // For the engine.
  const std::shared_ptr<const Revision>& revision() const { return revision_; }

 private:
  std::shared_ptr<const Revision> revision_;
};

}  // namespace purser

#endif  // PURSER_ENGINE_POLICY_SOURCE_H_
