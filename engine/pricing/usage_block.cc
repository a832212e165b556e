#include "engine/pricing/usage_block.h"

#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/pricing/name_match.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/usage_rules.h"
#include "simdjson.h"

namespace purser::pricing {
namespace {

using simdjson::dom::element;

// Responses with inline images and audio are large; beyond this something is wrong.
constexpr size_t kMaxBytes = size_t{256} << 20;
constexpr size_t kMaxDepth = 256;

// Where the providers say which price list served the call.
ServiceTier ServedTier(element response) {
  const auto tier_at = [&](element from, const char* key) {
    std::string_view name;
    if (from[key].get(name)) return ServiceTier::kUnstated;
    return ParseServiceTier(name);
  };
  struct Place {
    const char* parent;  // Empty: the response itself.
    const char* key;
  };
  constexpr Place kPlaces[] = {
      {"", "service_tier"},              // OpenAI, Groq.
      {"usage", "service_tier"},         // Anthropic.
      {"serviceTier", "type"},           // Bedrock Converse.
      {"usageMetadata", "trafficType"},  // Gemini on Vertex.
      {"response", "service_tier"},      // OpenAI realtime.
  };
  for (const Place& place : kPlaces) {
    element parent = response;
    if (*place.parent != '\0' && response[place.parent].get(parent)) continue;
    if (const ServiceTier tier = tier_at(parent, place.key); tier != ServiceTier::kUnstated) return tier;
  }
  return ServiceTier::kUnstated;
}

// Names that leave out of the input what was cached, as some tools report usage.
struct ExclusiveName {
  std::string_view name;
  Meter meter;
  bool in_input;  // Adds to the input as well.
};
constexpr ExclusiveName kExclusiveNames[] = {
    {"input", Meter::kInputTokens, false},
    {"output", Meter::kOutputTokens, false},
    {"cache_read", Meter::kCacheReadTokens, true},
    {"cache_write", Meter::kCacheWriteTokens, true},
    {"cache_write_5m", Meter::kCacheWrite5mTokens, true},
    {"cache_write_1h", Meter::kCacheWrite1hTokens, true},
    {"reasoning", Meter::kOutputReasoningTokens, false},
};

absl::Status AddNamed(std::string_view key, element value, Usage* usage) {
  const absl::string_view shown(key.data(), key.size());
  const auto beyond = [&] {
    return absl::InvalidArgumentError(absl::StrCat("usage field ", shown, " is beyond what can be counted"));
  };
  int64_t units = 0;
  if (const auto meter = FindMeter(key)) {
    if (absl::Status status = ReadCount(value, *meter, shown, &units); !status.ok()) return status;
    return usage->Add(*meter, units) ? absl::OkStatus() : beyond();
  }
  for (const ExclusiveName& name : kExclusiveNames) {
    if (name.name != key) continue;
    if (absl::Status status = ReadCount(value, name.meter, shown, &units); !status.ok()) return status;
    const bool of_write =
        name.meter == Meter::kCacheWrite5mTokens || name.meter == Meter::kCacheWrite1hTokens;
    bool fits = usage->Add(name.meter, units);
    if (of_write) fits = fits && usage->Add(Meter::kCacheWriteTokens, units);
    if (name.in_input) fits = fits && usage->Add(Meter::kInputTokens, units);
    return fits ? absl::OkStatus() : beyond();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no meter is named \"", shown, "\"; such are input_tokens, output_tokens, cache_read_tokens"));
}

}  // namespace

struct UsageReader::Buffers {
  simdjson::dom::parser parser{kMaxBytes + simdjson::SIMDJSON_PADDING};
  std::vector<char> padded;

  absl::Status Parse(std::string_view json, element* root) {
    if (json.size() > kMaxBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("the response is ", json.size(), " bytes long; at most ", kMaxBytes, " are read"));
    }
    const size_t needed = json.size() + simdjson::SIMDJSON_PADDING;
    if (padded.size() < needed) padded.resize(needed + needed / 2);
    std::memcpy(padded.data(), json.data(), json.size());
    std::memset(padded.data() + json.size(), 0, simdjson::SIMDJSON_PADDING);
    if (parser.capacity() < json.size() || parser.max_depth() != kMaxDepth) {
      if (parser.allocate(needed + needed / 2, kMaxDepth)) {
        return absl::ResourceExhaustedError("no memory to read the response");
      }
    }
    const auto error = parser.parse(padded.data(), json.size(), false).get(*root);
    if (error) {
      return absl::InvalidArgumentError(
          absl::StrCat("the response is not JSON: ", simdjson::error_message(error)));
    }
    if (!root->is_object()) return absl::InvalidArgumentError("the response is not a JSON object");
    return absl::OkStatus();
  }
};

UsageReader::UsageReader() : buffers_(std::make_unique<Buffers>()) {}
UsageReader::~UsageReader() = default;

absl::Status UsageReader::Read(const PriceBook* book, std::string_view provider, std::string_view api_flavor,
                               std::string_view json, UsageBlock* block) {
  element response;
  if (absl::Status status = buffers_->Parse(json, &response); !status.ok()) return status;

  const UsageRules* from_book = book == nullptr ? nullptr : book->usage_rules(provider);
  const UsageRules& built_in = BuiltInUsageRules(provider);
  const UsageRules& first = from_book != nullptr ? *from_book : built_in;
  // "default" is what a provider calls its only API, so it names nothing among the built-in ones.
  const bool named = !api_flavor.empty() && api_flavor != "default";
  const UsageRules::Flavor* flavor = from_book != nullptr ? from_book->Find(api_flavor) : nullptr;
  if (flavor == nullptr && named) flavor = built_in.Find(api_flavor);
  if (flavor == nullptr && !named) flavor = first.Guess(response);
  if (flavor == nullptr && !named) flavor = built_in.Guess(response);
  if (flavor == nullptr) {
    const absl::string_view shown(provider.data(), provider.size());
    if (api_flavor.empty() || api_flavor == "default") {
      return absl::InvalidArgumentError(absl::StrCat("no usage block that provider \"", shown,
                                                     "\" is known to send: the usage is unknown"));
    }
    return absl::InvalidArgumentError(absl::StrCat("provider \"", shown, "\" has no API \"",
                                                   absl::string_view(api_flavor.data(), api_flavor.size()),
                                                   "\"; known are: ", first.FlavorNames()));
  }
  if (absl::Status status = UsageRules::Apply(*flavor, response, block); !status.ok()) return status;
  block->usage.service_tier = ServedTier(response);
  return absl::OkStatus();
}

absl::Status UsageReader::ReadNormalised(std::string_view json, Usage* usage) {
  element root;
  if (absl::Status status = buffers_->Parse(json, &root); !status.ok()) return status;
  *usage = Usage();
  simdjson::dom::object fields;
  if (root.get(fields)) return absl::InvalidArgumentError("usage is not a JSON object");
  for (const auto field : fields) {
    if (field.value.is_null()) continue;
    if (field.key == "service_tier") {
      std::string_view name;
      if (field.value.get(name)) return absl::InvalidArgumentError("service_tier is not a string");
      usage->service_tier = ParseServiceTier(name);
      continue;
    }
    if (absl::Status status = AddNamed(field.key, field.value, usage); !status.ok()) return status;
  }
  if (usage->empty()) return absl::InvalidArgumentError("the usage states nothing: it is unknown");
  return absl::OkStatus();
}

}  // namespace purser::pricing
