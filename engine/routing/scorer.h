#ifndef PURSER_ENGINE_ROUTING_SCORER_H_
#define PURSER_ENGINE_ROUTING_SCORER_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "purser/scorer.pb.h"

namespace purser::routing {

// How much a prompt needs the strong model, learned from outcomes by `purser fit`: a linear function of
// hashed words, pairs of words, three letters in a row, and structure. Higher is more; about 0, the weak
// model does as well; about 1, only the strong one answers. One that was fitted to several kinds of traffic
// first looks which of them a prompt is of. Immutable and thread-safe; scoring does not allocate.
class Scorer {
 public:
  // INVALID_ARGUMENT: sizes that do not fit, numbers that are not finite, or a version that this build does
  // not know.
  static absl::StatusOr<std::shared_ptr<const Scorer>> Create(const LearnedScorer& proto);
  // Reads the textproto that `purser fit` wrote. Errors name the file and what is wrong.
  static absl::StatusOr<std::shared_ptr<const Scorer>> Load(const std::string& path);

  double Score(std::string_view prompt) const;

  // Of one scorer.
  static constexpr int kMaxKinds = 16;

 private:
  explicit Scorer(const LearnedScorer& proto) : proto_(proto) {}

  LearnedScorer proto_;
};

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_SCORER_H_
