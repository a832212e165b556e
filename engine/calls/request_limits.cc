#include "engine/calls/request_limits.h"

#include "absl/strings/str_cat.h"
#include "engine/calls/own_dimensions.h"

namespace purser {
namespace {

struct FieldLimit {
  std::string_view name;
  std::string_view Request::*member;
  size_t limit;
};

// A text of a Request that is kept and has no row here has no limit.
constexpr FieldLimit kFieldLimits[] = {
    {"id", &Request::id, kMaxRequestIdBytes},
    {"model", &Request::model, kMaxModelBytes},
    {"embedding_model", &Request::embedding_model, kMaxModelBytes},
    {"region", &Request::region, kMaxConstraintBytes},
    {"data_policy", &Request::data_policy, kMaxConstraintBytes},
    {"service_tier", &Request::service_tier, kMaxConstraintBytes},
    {"unseen_digest", &Request::unseen_digest, kMaxDigestBytes},
};

}  // namespace

std::string BeyondLimit(const std::string& field, size_t size, size_t limit, const char* unit) {
  return absl::StrCat("the ", field, " has ", size, " ", unit, "; expected at most ", limit);
}

bool CheckLimits(const Request& request, std::string* why) {
  const auto within = [why](std::string_view name, size_t size, size_t limit, const char* unit) {
    if (size <= limit) return true;
    *why = BeyondLimit(absl::StrCat("request's ", std::string(name)), size, limit, unit);
    return false;
  };
  for (const RequestDimension& dimension : kRequestDimensions) {
    if (!within(dimension.name, (request.*dimension.member).size(), kMaxDimensionBytes, "bytes"))
      return false;
  }
  for (const FieldLimit& field : kFieldLimits) {
    if (!within(field.name, (request.*field.member).size(), field.limit, "bytes")) return false;
  }
  if (!within("embedding", request.embedding.size(), kMaxEmbeddingSize, "numbers")) return false;
  return request.own_dimensions.empty() || CheckOwnDimensions(request.own_dimensions, why);
}

}  // namespace purser
