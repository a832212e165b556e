#include "engine/learning/quality_metrics.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace purser::learning {
namespace {

// A point of the curve of PGR over the share of strong calls; between two points it is a straight line.
struct Point {
  double share;
  double recovered;
};

std::vector<Point> Curve(std::span<const double> scores, std::span<const Labelled> data, double gap) {
  std::vector<size_t> order(data.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  std::vector<Point> curve = {{0, 0}};
  double gained = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    gained += data[order[i]].strong - data[order[i]].weak;
    const bool tied = i + 1 < order.size() && scores[order[i + 1]] == scores[order[i]];
    if (!tied) curve.push_back({static_cast<double>(i + 1) / data.size(), gained / gap});
  }
  return curve;
}

double Area(const std::vector<Point>& curve) {
  double area = 0;
  for (size_t i = 1; i < curve.size(); ++i) {
    area += (curve[i].share - curve[i - 1].share) * (curve[i].recovered + curve[i - 1].recovered) / 2;
  }
  return area;
}

double SmallestShare(const std::vector<Point>& curve, double recovered) {
  for (size_t i = 1; i < curve.size(); ++i) {
    const Point& a = curve[i - 1];
    const Point& b = curve[i];
    if (b.recovered < recovered) continue;
    return a.share + (b.share - a.share) * (recovered - a.recovered) / (b.recovered - a.recovered);
  }
  return 1;
}

absl::StatusOr<double> Grade(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end()) return absl::InvalidArgumentError(absl::StrCat("has no \"", key, "\""));
  if (found->is_boolean()) return found->get<bool>() ? 1.0 : 0.0;
  if (!found->is_number())
    return absl::InvalidArgumentError(
        absl::StrCat("has a \"", key, "\" that is neither true, false nor a number"));
  const double grade = found->get<double>();
  if (!(grade >= 0 && grade <= 1))
    return absl::InvalidArgumentError(absl::StrCat("has a \"", key, "\" that is not between 0 and 1"));
  return grade;
}

absl::StatusOr<Labelled> ReadLine(const std::string& text) {
  const nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!line.is_object()) return absl::InvalidArgumentError("is not a JSON object");
  Labelled labelled;
  const auto prompt = line.find("prompt");
  if (prompt == line.end() || !prompt->is_string())
    return absl::InvalidArgumentError("has no \"prompt\" text");
  labelled.prompt = prompt->get<std::string>();
  const absl::StatusOr<double> strong = Grade(line, "strong");
  if (!strong.ok()) return strong.status();
  const absl::StatusOr<double> weak = Grade(line, "weak");
  if (!weak.ok()) return weak.status();
  labelled.strong = *strong;
  labelled.weak = *weak;
  for (const char* key : {"group", "subject"}) {
    const auto group = line.find(key);
    if (group != line.end() && group->is_string()) labelled.group = group->get<std::string>();
  }
  return labelled;
}

}  // namespace

absl::StatusOr<std::vector<Labelled>> ReadLabelled(const std::string& path) {
  std::ifstream in(path);
  if (!in)
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be read; expected lines of {\"prompt\", \"strong\", \"weak\"}"));
  std::vector<Labelled> data;
  std::string text;
  for (int line = 1; std::getline(in, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    absl::StatusOr<Labelled> labelled = ReadLine(text);
    if (!labelled.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", line, ": the line ", labelled.status().message()));
    }
    data.push_back(*std::move(labelled));
  }
  if (data.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": has no lines"));
  return data;
}

double MeanStrong(std::span<const Labelled> data) {
  double sum = 0;
  for (const Labelled& labelled : data) sum += labelled.strong;
  return data.empty() ? 0 : sum / data.size();
}

double MeanWeak(std::span<const Labelled> data) {
  double sum = 0;
  for (const Labelled& labelled : data) sum += labelled.weak;
  return data.empty() ? 0 : sum / data.size();
}

absl::StatusOr<RoutingQuality> MeasureRouting(std::span<const double> scores,
                                              std::span<const Labelled> data) {
  if (scores.size() != data.size()) {
    return absl::InvalidArgumentError(absl::StrCat(scores.size(), " scores for ", data.size(), " prompts"));
  }
  for (const double score : scores) {
    if (!std::isfinite(score)) return absl::InvalidArgumentError("scores must be finite");
  }
  double gap = 0;
  for (const Labelled& labelled : data) gap += labelled.strong - labelled.weak;
  if (!(gap > 0)) {
    return absl::FailedPreconditionError(
        "the strong model answers these prompts no better than the weak one: there is no gap to recover");
  }
  const std::vector<Point> curve = Curve(scores, data, gap);
  RoutingQuality quality;
  quality.apgr = Area(curve);
  quality.cpt50 = SmallestShare(curve, 0.5);
  quality.cpt80 = SmallestShare(curve, 0.8);
  quality.strong_share_at_equal_quality = SmallestShare(curve, 1.0);
  return quality;
}

std::vector<double> LengthScores(std::span<const Labelled> data) {
  std::vector<double> scores;
  for (const Labelled& labelled : data) scores.push_back(static_cast<double>(labelled.prompt.size()));
  return scores;
}

std::vector<double> ConstantScores(std::span<const Labelled> data) {
  return std::vector<double>(data.size(), 0.0);
}

std::vector<double> RandomScores(std::span<const Labelled> data, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> scores(data.size());
  // Not std::uniform_real_distribution, whose numbers differ from library to library.
  for (double& score : scores) score = static_cast<double>(random() >> 11) * 0x1p-53;
  return scores;
}

}  // namespace purser::learning
