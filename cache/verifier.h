#ifndef PURSER_CACHE_VERIFIER_H_
#define PURSER_CACHE_VERIFIER_H_

#include <purser/cache/hit.h>
#include <purser/cache/options.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/epoch.h"
#include "cache/flat_index.h"

namespace purser::cache {

// Verified mode of one namespace: estimates for each request the chance that the answer at hand is right, and
// lets it be a hit where the stated error allows.
//
// The estimate is a logistic regression over what the neighbourhood shows: the similarity of the entry that
// would answer, its margin to the nearest entry with another answer, the share and the number of neighbours
// that agree, and how often this very entry was right before (so that each entry learns a threshold of its
// own, as in vCache, arXiv 2502.03771). It is learned from every request whose right answer becomes known:
// misses, whose answer is stored, and audits, would-be hits that ask the model all the same. Selection is by
// the score alone, so that what is learned of a score holds for the hits with that score too.
//
// The least score of a hit is chosen again now and then ("looks"), each time from all that is known:
//   Bound::kHits      the lowest score for which the upper Clopper-Pearson limit of the wrong share among
//                     known requests with at least that score is <= delta. Look k has confidence
//                     1 - alpha / (k (k + 1)), so that all of them together have 1 - alpha; scores are tried
//                     downwards from several starts that share this alpha, each until its first failure
//                     (fixed-sequence testing with multiple starts: Angelopoulos et al. 2021, Learn then
//                     Test). What an earlier look stated stands until what is known speaks against it. Known
//                     requests have lower scores than the hits, since hits are known only by audits: the
//                     limit errs on the safe side. No hits where too little is known: to show 1 % takes some
//                     thousand similar requests, of which hardly any may have been wrong.
//   Bound::kRequests  the lowest score at which the expected number of wrong answers among the latest
//                     requests is <= delta of them. Expected by the model, corrected by how many more wrong
//                     answers there were than it expected among known requests with at least that score, by
//                     the upper limit with confidence 1 - alpha.
// Both assume that requests of one score are right as often tomorrow as they were so far; audits keep that
// assumption in sight.
//
// Decide is for readers: no locks, an epoch Guard. Learn is serialised by the caller.
class Verifier {
 public:
  // Entries that a decision looks at, and the least similarity of those.
  static constexpr size_t kNeighbours = 12;
  static constexpr float kMinSimilarity = 0.25F;

  Verifier(const VerifiedOptions& options, Epochs* epochs);
  ~Verifier();
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  struct Decision {
    enum Kind : uint8_t { kMiss, kHit, kAudit };
    Kind kind = kMiss;
    const StoredEntry* record = nullptr;  // What answers, or would have. Null: nothing to compare.
    float similarity = 0.0F;
    Trial trial;
  };
  // `neighbours`: of the request, best first. `servable(const Candidate&)`: whether it may answer (no guard
  // objects); entries that may not still have their say about the neighbourhood. `entries`: of the partition.
  template <typename Servable>
  Decision Decide(std::span<const Candidate> neighbours, size_t entries, const Servable& servable) const {
    const Group group = BestAnswer(neighbours);
    for (const Candidate& candidate : neighbours) {
      if (candidate.record->answer_hash == group.answer_hash && servable(candidate)) {
        return Judge(neighbours, group, candidate, entries);
      }
    }
    Skip();
    return {};
  }
  // Counts a request that nothing was compared for: it belongs to all requests.
  void Skip() const;

  // The right answer to a request became known: was the one that the decision had at hand right?
  void Learn(const Trial& trial, bool right);

  // All that was learned, as bytes for Restore. Serialised with Learn.
  std::string Save() const;
  // Goes on from there. Where the stated error or its bound is another now, what is known stays and the rule
  // is learned from scratch. False, and nothing changes, if something was learned here already or the bytes
  // are not of this version. Serialised with Learn.
  bool Restore(std::string_view saved);

  struct Report {
    uint64_t judged = 0;
    uint64_t audits_judged = 0;
    uint64_t audits_wrong = 0;
    double hit_share = 0.0;  // Of the latest requests.
    double least_score = 2.0;
  };
  Report GetReport() const;
  size_t bytes() const { return sizeof(Verifier) + known_.capacity() * sizeof(Known); }

 private:
  static constexpr size_t kFeatures = 9;
  static constexpr size_t kMaxKnown = 8192;  // Beyond it the oldest are forgotten.
  static constexpr size_t kLatest = 2048;    // Requests that kRequests looks at.
  static constexpr size_t kMinKnown = 100;   // No hits before.
  static constexpr float kNothing = -1.0F;   // The score of a request that nothing was compared for.

  using Features = std::array<float, kFeatures>;
  // What decisions are made by; replaced as a whole.
  struct Rule {
    uint64_t version = 0;
    std::array<double, kFeatures> weights{};
    double least_score = 2.0;  // No hits.
    double Score(const Features& features) const;
  };
  struct Known {
    Features features;
    bool right;
  };
  struct Group {
    uint64_t answer_hash = 0;
    double share = 0.0;
  };

  static Group BestAnswer(std::span<const Candidate> neighbours);
  Decision Judge(std::span<const Candidate> neighbours, const Group& group, const Candidate& serving,
                 size_t entries) const;
  void Note(float score) const;
  bool Audited() const;

  struct Saved;
  void Look();
  void Fit(Rule* rule) const;
  bool StillHolds(const Rule& rule) const;
  size_t HitsAmongKnown(const Rule& rule) const;
  // The known requests by falling score.
  struct Scored {
    double score;
    bool right;
  };
  double LeastScoreForHits(const std::vector<Scored>& scored) const;
  double LeastScoreForRequests(const std::vector<Scored>& scored) const;

  const VerifiedOptions options_;
  Epochs* const epochs_;
  std::atomic<Rule*> rule_;
  mutable std::atomic<uint64_t> draws_{0};
  mutable std::atomic<uint64_t> requests_{0};
  mutable std::array<std::atomic<float>, kLatest> latest_;

  // The writer's.
  std::vector<Known> known_;
  uint64_t learned_ = 0;
  uint64_t next_look_ = kMinKnown;
  int looks_ = 0;
  uint64_t audits_judged_ = 0;
  uint64_t audits_wrong_ = 0;
};

}  // namespace purser::cache

#endif  // PURSER_CACHE_VERIFIER_H_
