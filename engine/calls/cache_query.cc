#include "engine/calls/cache_query.h"

#include <cstdint>

#include "engine/base/prefixed_bytes.h"

namespace purser {
namespace {

const Message* LastUserTurn(const Request& request) {
  for (auto message = request.messages.rbegin(); message != request.messages.rend(); ++message) {
    if (message->role == Role::kUser) return &*message;
  }
  return nullptr;
}

constexpr uint32_t kUnseenInput = kNeedsVision | kNeedsAudioInput | kNeedsVideoInput | kNeedsDocuments;

// Whether the answer depends on something that is not in the request.
bool HasUnseen(const Request& request) {
  return request.history_tokens > 0 || request.images > 0 || (request.needs & kUnseenInput) != 0;
}

}  // namespace

bool MayCache(const Request& request) {
  return request.cacheable && !request.has_side_effects && !request.messages.empty() &&
         (!HasUnseen(request) || !request.unseen_digest.empty());
}

cache::Query MakeCacheQuery(const Revision& revision, const Request& request, CacheQueryScratch* scratch) {
  static constexpr std::string_view kRoles[] = {"system", "user", "assistant", "tool"};
  const std::string_view request_class =
      revision.request_class(revision.program().RequestClassOf(request)).name;
  const Message* const last_turn = LastUserTurn(request);
  revision.cache_namespace().Render(request, &scratch->name_space);
  scratch->needs = request.needs;
  scratch->key.clear();
  scratch->compatibility.clear();
  const auto add_to_both = [scratch](std::string_view part) {
    scratch->key.push_back(part);
    AppendPart<uint64_t>(part, &scratch->compatibility);
  };
  // What was asked of the model, then what was said to it.
  for (const std::string_view part : {request_class, request.model, request.tools_json, request.parameters,
                                      request.unseen_digest, scratch->needs_bytes()}) {
    add_to_both(part);
  }
  for (const Message& message : request.messages) {
    if (&message == last_turn) {
      add_to_both("last turn");
      scratch->key.push_back(message.content);
    } else {
      add_to_both(kRoles[static_cast<int>(message.role)]);
      add_to_both(message.content);
    }
  }
  cache::Query query;
  query.name_space = scratch->name_space;
  query.key = scratch->key;
  query.compatibility = scratch->compatibility;
  query.text = last_turn == nullptr ? std::string_view() : last_turn->content;
  query.embedding = request.embedding;
  query.embedding_model = request.embedding_model;
  query.request_class = request_class;
  query.least_similarity = request.least_similarity;
  return query;
}

}  // namespace purser
