#include "engine/cache_query.h"

#include <cstdint>

namespace purser {
namespace {

std::string_view LastUserTurn(const Request& request) {
  for (auto message = request.messages.rbegin(); message != request.messages.rend(); ++message) {
    if (message->role == Role::kUser) return message->content;
  }
  return {};
}

// A length before each part, so that no two lists of parts read alike.
void AppendPart(std::string_view part, std::string* out) {
  const uint64_t size = part.size();
  out->append(reinterpret_cast<const char*>(&size), sizeof(size));
  out->append(part);
}

}  // namespace

bool MayCache(const Request& request) {
  return request.cacheable && !request.has_side_effects && !request.messages.empty();
}

cache::Query MakeCacheQuery(const Revision& revision, const Request& request, CacheQueryScratch* scratch) {
  revision.cache_namespace().Render(request, &scratch->name_space);
  const std::string_view last_turn = LastUserTurn(request);
  scratch->key.clear();
  scratch->compatibility.clear();
  scratch->key.push_back(request.tools_json);
  scratch->key.push_back(request.parameters);
  AppendPart(request.tools_json, &scratch->compatibility);
  AppendPart(request.parameters, &scratch->compatibility);
  static constexpr std::string_view kRoles[] = {"system", "user", "assistant", "tool"};
  for (const Message& message : request.messages) {
    const std::string_view role = kRoles[static_cast<int>(message.role)];
    scratch->key.push_back(role);
    scratch->key.push_back(message.content);
    if (message.content.data() == last_turn.data()) continue;
    AppendPart(role, &scratch->compatibility);
    AppendPart(message.content, &scratch->compatibility);
  }
  cache::Query query;
  query.name_space = scratch->name_space;
  query.key = scratch->key;
  query.compatibility = scratch->compatibility;
  query.text = last_turn;
  query.embedding = request.embedding;
  query.embedding_model = request.embedding_model;
  query.request_class = revision.request_class(revision.program().RequestClassOf(request)).name;
  return query;
}

}  // namespace purser
