#include "engine/routing/outcome_neighbours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cache/binomial.h"
#include "nlohmann/json.hpp"

namespace purser::routing {
namespace {

using Json = nlohmann::json;

constexpr int kParts = 4;  // Of a request, that outcomes are counted in.
// That limits are rounded down to: what is beyond is the solver's, and would decide where terms of a score
// cancel.
constexpr double kSteps = 1e6;

absl::Status CheckOptions(const OutcomeNeighbours::Options& options) {
  const int most = static_cast<int>(cache::Neighbours::kMaxFound);
  const auto wrong = [](const char* name, auto value, std::string expected) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is ", value, "; expected ", expected));
  };
  if (options.candidate.empty())
    return absl::InvalidArgumentError("names no candidate; expected candidate: \"...\"");
  if (options.neighbours < 1 || options.neighbours > most)
    return wrong("neighbours", options.neighbours, absl::StrCat("1 to ", most));
  if (options.least_neighbours < 1 || options.least_neighbours > options.neighbours)
    return wrong("least_neighbours", options.least_neighbours,
                 absl::StrCat("1 to neighbours, ", options.neighbours));
  if (!(options.least_similarity > 0 && options.least_similarity <= 1))
    return wrong("least_similarity", options.least_similarity, "a cosine above 0, at most 1");
  if (!(options.confidence > 0.5 && options.confidence < 1))
    return wrong("confidence", options.confidence, "a probability above 0.5 and below 1");
  return absl::OkStatus();
}

absl::StatusOr<float> Good(const Json& outcome) {
  if (outcome.is_boolean()) return outcome.get<bool>() ? 1.0F : 0.0F;
  if (outcome.is_number() && outcome.get<double>() >= 0 && outcome.get<double>() <= 1)
    return outcome.get<float>();
  return absl::InvalidArgumentError("has an outcome that is neither true, false nor a number from 0 to 1");
}

// Nothing if the line tells nothing of the candidate by this embedding model.
absl::StatusOr<std::optional<OutcomeNeighbours::Outcome>> ReadLine(
    const std::string& text, const OutcomeNeighbours::Options& options) {
  const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!line.is_object()) return absl::InvalidArgumentError("is not a JSON object");
  const auto outcomes = line.find("outcomes");
  if (outcomes == line.end() || !outcomes->is_object())
    return absl::InvalidArgumentError("has no \"outcomes\" by candidate");
  const auto of_candidate = outcomes->find(options.candidate);
  if (of_candidate == outcomes->end()) return std::nullopt;
  const auto model = line.find("embedding_model");
  if (model != line.end() && *model != options.embedding_model) return std::nullopt;
  const absl::StatusOr<float> good = Good(*of_candidate);
  if (!good.ok()) return good.status();
  const auto embedding = line.find("embedding");
  if (embedding == line.end() || !embedding->is_array())
    return absl::InvalidArgumentError("has no \"embedding\", a list of numbers");
  OutcomeNeighbours::Outcome outcome;
  outcome.good = *good;
  for (const Json& component : *embedding) {
    if (!component.is_number())
      return absl::InvalidArgumentError("has an \"embedding\" that is not a list of numbers");
    outcome.embedding.push_back(component.get<float>());
  }
  return outcome;
}

}  // namespace

OutcomeNeighbours::OutcomeNeighbours(const Options& options,
                                     std::unique_ptr<const cache::Neighbours> neighbours,
                                     std::vector<float> good)
    : options_(options),
      neighbours_(std::move(neighbours)),
      good_(std::move(good)),
      limits_(options.neighbours + 1) {
  for (int near = options.least_neighbours; near <= options.neighbours; ++near) {
    for (int parts = 0; parts <= kParts * near; ++parts) {
      const double limit =
          cache::LowerLimit(static_cast<double>(parts) / kParts, near, 1 - options.confidence);
      limits_[near].push_back(std::floor(limit * kSteps) / kSteps);
    }
  }
}

absl::StatusOr<std::shared_ptr<const OutcomeNeighbours>> OutcomeNeighbours::Create(
    std::span<const Outcome> outcomes, const Options& options) {
  const absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  if (outcomes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("there are no outcomes of \"", options.candidate,
                                                   "\" by the embedding model \"", options.embedding_model,
                                                   "\""));
  }
  const size_t dimension = outcomes.front().embedding.size();
  std::vector<float> vectors;
  std::vector<float> good;
  for (const Outcome& outcome : outcomes) {
    if (outcome.embedding.size() != dimension) {
      return absl::InvalidArgumentError(absl::StrCat("an embedding has ", outcome.embedding.size(),
                                                     " numbers; expected ", dimension, " as the first has"));
    }
    vectors.insert(vectors.end(), outcome.embedding.begin(), outcome.embedding.end());
    good.push_back(outcome.good);
  }
  std::unique_ptr<const cache::Neighbours> neighbours = cache::Neighbours::Build(vectors, dimension);
  if (neighbours == nullptr) {
    return absl::InvalidArgumentError("an embedding has no direction; expected finite numbers, not all 0");
  }
  return std::shared_ptr<const OutcomeNeighbours>(
      new OutcomeNeighbours(options, std::move(neighbours), std::move(good)));
}

absl::StatusOr<std::shared_ptr<const OutcomeNeighbours>> OutcomeNeighbours::Load(const std::string& path,
                                                                                 const Options& options) {
  std::ifstream in(path);
  if (!in) {
    return absl::NotFoundError(absl::StrCat(
        path,
        ": cannot be read; expected lines of {\"embedding\": [...], \"outcomes\": {\"candidate\": true}}"));
  }
  std::vector<Outcome> outcomes;
  std::string text;
  for (int line = 1; std::getline(in, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    absl::StatusOr<std::optional<Outcome>> outcome = ReadLine(text, options);
    if (!outcome.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", line, ": the line ", outcome.status().message()));
    }
    if (outcome->has_value()) outcomes.push_back(**std::move(outcome));
  }
  absl::StatusOr<std::shared_ptr<const OutcomeNeighbours>> neighbours = Create(outcomes, options);
  if (!neighbours.ok())
    return absl::Status(neighbours.status().code(), absl::StrCat(path, ": ", neighbours.status().message()));
  return neighbours;
}

OutcomeNeighbours::Estimated OutcomeNeighbours::Estimate(std::span<const float> embedding,
                                                         std::string_view embedding_model) const {
  Estimated estimated;
  if (embedding.empty()) {
    estimated.abstains = Abstains::kNoEmbedding;
    return estimated;
  }
  if (embedding_model != options_.embedding_model || embedding.size() != neighbours_->dimension()) {
    estimated.abstains = Abstains::kOtherModel;
    return estimated;
  }
  std::array<cache::Neighbours::Neighbour, cache::Neighbours::kMaxFound> found;
  const size_t near = neighbours_->Find(embedding, static_cast<float>(options_.least_similarity),
                                        std::span(found).first(static_cast<size_t>(options_.neighbours)));
  estimated.near = static_cast<int>(near);
  double good = 0;
  for (size_t i = 0; i < near; ++i) good += good_[found[i].index];
  if (near > 0) {
    estimated.good = good / static_cast<double>(near);
    estimated.least = found[near - 1].similarity;
  }
  if (estimated.near < options_.least_neighbours) {
    estimated.abstains = Abstains::kTooFewNear;
  } else {
    estimated.guarded = limits_[near][static_cast<size_t>(kParts * good)];
  }
  return estimated;
}

}  // namespace purser::routing
