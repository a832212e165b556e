#include "cache/verifier.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cache/binomial.h"

namespace purser::cache {
namespace {

// Neighbours weigh exp(kSharpness * similarity) in the vote on the answer; one as similar as kBackground is
// what stands against even a unanimous vote.
constexpr double kSharpness = 14.0;
constexpr double kBackground = 0.35;

// Bound::kHits: the share by which what is known grows between looks; the number of places from which each
// look tries scores downwards; and where the first look is made, in the fewest trials that could show
// anything. Chosen on shuffles of 10,000 questions: earlier or more looks find less, for what they cost.
constexpr double kHitsPace = 0.35;
constexpr int kStarts = 4;
constexpr uint64_t kFirstLook = 2;

// The fewest trials that can show a share of wrong answers of at most delta: those without a wrong one.
size_t LeastTrials(double delta, double alpha) {
  return static_cast<size_t>(std::ceil(std::log(alpha) / std::log1p(-delta)));
}

double Weight(double similarity) { return std::exp(kSharpness * (similarity - 1.0)); }

// Solves a symmetric system in place by Gauss-Jordan elimination with pivoting. The matrix has a right-hand
// side as its last column.
template <size_t N>
void Solve(std::array<std::array<double, N + 1>, N>* system) {
  auto& m = *system;
  for (size_t i = 0; i < N; ++i) {
    size_t pivot = i;
    for (size_t row = i + 1; row < N; ++row) {
      if (std::fabs(m[row][i]) > std::fabs(m[pivot][i])) pivot = row;
    }
    std::swap(m[i], m[pivot]);
    for (size_t row = 0; row < N; ++row) {
      if (row == i) continue;
      const double factor = m[row][i] / m[i][i];
      for (size_t column = i; column <= N; ++column) m[row][column] -= factor * m[i][column];
    }
  }
  for (size_t i = 0; i < N; ++i) m[i][N] /= m[i][i];
}

}  // namespace

Verifier::Verifier(const VerifiedOptions& options, Epochs* epochs)
    : options_(options), epochs_(epochs), rule_(new Rule) {
  if (options.bound == Bound::kHits) {
    const size_t least = LeastTrials(options.delta, options.alpha / 2.0 / kStarts);
    next_look_ = std::max<uint64_t>(kMinKnown, kFirstLook * least);
  }
  for (std::atomic<float>& score : latest_) score.store(kNothing);
}

Verifier::~Verifier() { delete rule_.load(); }

double Verifier::Rule::Score(const Features& features) const {
  double sum = 0.0;
  for (size_t i = 0; i < kFeatures; ++i) sum += weights[i] * features[i];
  return 1.0 / (1.0 + std::exp(-sum));
}

// The answer that most of the neighbourhood stands for, the nearer the more.
Verifier::Group Verifier::BestAnswer(std::span<const Candidate> neighbours) {
  Group best;
  double total = Weight(kBackground);
  for (size_t i = 0; i < neighbours.size(); ++i) {
    total += Weight(neighbours[i].similarity);
    double sum = 0.0;
    for (const Candidate& other : neighbours) {
      if (other.record->answer_hash == neighbours[i].record->answer_hash) sum += Weight(other.similarity);
    }
    if (sum > best.share) best = {neighbours[i].record->answer_hash, sum};
  }
  best.share /= total;
  return best;
}

Verifier::Decision Verifier::Judge(std::span<const Candidate> neighbours, const Group& group,
                                   const Candidate& serving, size_t entries) const {
  float rival = 0.0F;
  int agree = 0;
  for (size_t i = 0; i < neighbours.size(); ++i) {
    if (neighbours[i].record->answer_hash != group.answer_hash) {
      rival = std::max(rival, neighbours[i].similarity);
    } else if (i < 5) {
      ++agree;
    }
  }
  const float similarity = serving.similarity;
  const auto tried = static_cast<float>(serving.record->tried.load(std::memory_order_relaxed));
  const auto right = static_cast<float>(serving.record->right.load(std::memory_order_relaxed));
  const Features features = {1.0F,
                             similarity,
                             similarity - rival,
                             static_cast<float>(std::log(group.share / (1.02 - group.share))),
                             static_cast<float>(agree) / 5.0F,
                             std::log((right + 1.5F) / (std::max(tried - right, 0.0F) + 0.5F)),
                             similarity * similarity,
                             std::max(0.0F, similarity - 0.8F) * 5.0F,
                             std::log(1.0F + static_cast<float>(entries)) / 10.0F};
  const Rule& rule = *rule_.load();
  Decision decision;
  decision.record = serving.record;
  decision.similarity = similarity;
  decision.trial.entry_id = serving.record->id;
  decision.trial.answer_hash = group.answer_hash;
  decision.trial.model_version = rule.version;
  decision.trial.score = static_cast<float>(rule.Score(features));
  std::copy(features.begin(), features.end(), decision.trial.features.begin());
  Note(decision.trial.score);
  if (decision.trial.score >= rule.least_score) {
    const bool audited = Audited();
    decision.kind = audited ? Decision::kAudit : Decision::kHit;
    decision.trial.propensity = static_cast<float>(options_.audit_rate);
  }
  return decision;
}

void Verifier::Skip() const { Note(kNothing); }

void Verifier::Note(float score) const {
  const uint64_t at = requests_.fetch_add(1, std::memory_order_relaxed);
  latest_[at % kLatest].store(score, std::memory_order_relaxed);
}

bool Verifier::Audited() const {
  // splitmix64 of a counter: the same draws for the same seed.
  uint64_t bits = options_.seed + (draws_.fetch_add(1, std::memory_order_relaxed) + 1) * 0x9E3779B97F4A7C15;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
  bits ^= bits >> 31;
  return static_cast<double>(bits >> 11) * 0x1.0p-53 < options_.audit_rate;
}

void Verifier::Learn(const Trial& trial, bool right) {
  Known known;
  std::copy_n(trial.features.begin(), kFeatures, known.features.begin());
  known.right = right;
  if (known_.size() < kMaxKnown) {
    known_.push_back(known);
  } else {
    known_[learned_ % kMaxKnown] = known;
  }
  ++learned_;
  if (trial.propensity < 1.0F) {
    ++audits_judged_;
    audits_wrong_ += !right;
  }
  if (learned_ >= next_look_) Look();
}

void Verifier::Look() {
  ++looks_;
  // Looks cost confidence with kHits, only time with kRequests.
  const double pace = options_.bound == Bound::kHits ? kHitsPace : 0.08;
  next_look_ =
      learned_ +
      std::max<uint64_t>(
          50, static_cast<uint64_t>(pace * static_cast<double>(std::min<uint64_t>(learned_, 2 * kMaxKnown))));
  Rule* fresh = new Rule(*rule_.load());
  ++fresh->version;
  Fit(fresh);
  std::vector<Scored> scored;
  scored.reserve(known_.size());
  for (const Known& known : known_) scored.push_back({fresh->Score(known.features), known.right});
  std::sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
  fresh->least_score =
      options_.bound == Bound::kHits ? LeastScoreForHits(scored) : LeastScoreForRequests(scored);
  Rule* old = rule_.load();
  if (options_.bound == Bound::kHits && StillHolds(*old) && HitsAmongKnown(*old) > HitsAmongKnown(*fresh)) {
    // This look could state less than the one that made the old rule: that statement stands.
    delete fresh;
    return;
  }
  rule_.store(fresh);
  epochs_->Retire(old, sizeof(Rule));
}

size_t Verifier::HitsAmongKnown(const Rule& rule) const {
  return static_cast<size_t>(std::count_if(known_.begin(), known_.end(), [&rule](const Known& known) {
    return rule.Score(known.features) >= rule.least_score;
  }));
}

// Whether what is known by now does not speak against the rule.
bool Verifier::StillHolds(const Rule& rule) const {
  if (rule.least_score > 1.0) return false;
  double wrong = 0.0;
  double trials = 0.0;
  for (const Known& known : known_) {
    if (rule.Score(known.features) < rule.least_score) continue;
    trials += 1.0;
    wrong += !known.right;
  }
  return wrong <= options_.delta * trials;
}

// Newton's method with a Gaussian prior of unit variance on each weight.
void Verifier::Fit(Rule* rule) const {
  for (int round = 0; round < 15; ++round) {
    std::array<std::array<double, kFeatures + 1>, kFeatures> system{};
    for (size_t i = 0; i < kFeatures; ++i) {
      system[i][i] = 1.0;
      system[i][kFeatures] = -rule->weights[i];
    }
    for (const Known& known : known_) {
      const double score = rule->Score(known.features);
      const double surprise = (known.right ? 1.0 : 0.0) - score;
      const double curvature = score * (1.0 - score);
      for (size_t i = 0; i < kFeatures; ++i) {
        system[i][kFeatures] += surprise * known.features[i];
        for (size_t j = 0; j < kFeatures; ++j) {
          system[i][j] += curvature * known.features[i] * known.features[j];
        }
      }
    }
    Solve<kFeatures>(&system);
    double largest = 0.0;
    for (size_t i = 0; i < kFeatures; ++i) {
      // Steps are bounded, so that separable data does not throw the first ones far off.
      const double step = std::clamp(system[i][kFeatures], -2.0, 2.0);
      rule->weights[i] += step;
      largest = std::max(largest, std::fabs(step));
    }
    if (largest < 1e-4) break;
  }
}

double Verifier::LeastScoreForHits(const std::vector<Scored>& scored) const {
  const double alpha = options_.alpha / (static_cast<double>(looks_) * (looks_ + 1)) / kStarts;
  std::vector<double> wrong(scored.size() + 1);
  for (size_t n = 1; n <= scored.size(); ++n) wrong[n] = wrong[n - 1] + (scored[n - 1].right ? 0.0 : 1.0);
  size_t most = 0;
  size_t start = LeastTrials(options_.delta, alpha);
  for (int i = 0; i < kStarts; ++i, start *= 2) {
    for (size_t n = start; n <= scored.size(); n += std::max<size_t>(10, n / 10)) {
      if (UpperLimit(wrong[n], static_cast<double>(n), alpha) > options_.delta) break;
      most = std::max(most, n);
    }
  }
  return most == 0 ? 2.0 : scored[most - 1].score;
}

double Verifier::LeastScoreForRequests(const std::vector<Scored>& scored) const {
  const uint64_t requests = requests_.load(std::memory_order_relaxed);
  const size_t count = std::min<uint64_t>(requests, kLatest);
  std::vector<double> latest;
  latest.reserve(count);
  for (size_t i = 0; i < count; ++i) latest.push_back(latest_[i].load(std::memory_order_relaxed));
  std::sort(latest.begin(), latest.end(), std::greater<>());
  double least = 2.0;
  double expected = 0.0;        // Wrong answers among the latest requests, by the model.
  double known_expected = 0.0;  // The same among known requests of at least that score ...
  double known_wrong = 0.0;     // ... and what it was.
  size_t known = 0;
  for (size_t i = 0; i < count && latest[i] >= 0.0; ++i) {
    expected += 1.0 - latest[i];
    for (; known < scored.size() && scored[known].score >= latest[i]; ++known) {
      known_expected += 1.0 - scored[known].score;
      known_wrong += !scored[known].right;
    }
    if (known < kMinKnown / 2) continue;
    const auto trials = static_cast<double>(known);
    const double limit = trials * UpperLimit(known_wrong, trials, options_.alpha);
    const double correction = std::max(1.0, limit / known_expected);
    if (expected * correction <= options_.delta * static_cast<double>(count)) least = latest[i];
    // Far beyond what could still be allowed.
    if (expected > 2.0 * options_.delta * static_cast<double>(count)) break;
  }
  return least;
}

// The head of what Save writes; behind it the latest scores (kLatest floats) and the known requests.
struct Verifier::Saved {
  uint64_t layout = 1;
  uint64_t features = kFeatures;
  uint64_t latest = kLatest;
  uint64_t known = 0;
  double delta = 0.0;
  double alpha = 0.0;
  uint64_t bound = 0;
  uint64_t learned = 0;
  uint64_t next_look = 0;
  uint64_t looks = 0;
  uint64_t audits_judged = 0;
  uint64_t audits_wrong = 0;
  uint64_t requests = 0;
  uint64_t draws = 0;
  Rule rule;
};

std::string Verifier::Save() const {
  Saved head;
  head.known = known_.size();
  head.delta = options_.delta;
  head.alpha = options_.alpha;
  head.bound = static_cast<uint64_t>(options_.bound);
  head.learned = learned_;
  head.next_look = next_look_;
  head.looks = static_cast<uint64_t>(looks_);
  head.audits_judged = audits_judged_;
  head.audits_wrong = audits_wrong_;
  head.requests = requests_.load(std::memory_order_relaxed);
  head.draws = draws_.load(std::memory_order_relaxed);
  head.rule = *rule_.load();
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof(head));
  for (const std::atomic<float>& latest : latest_) {
    const float score = latest.load(std::memory_order_relaxed);
    bytes.append(reinterpret_cast<const char*>(&score), sizeof(score));
  }
  for (const Known& known : known_) {
    bytes.append(reinterpret_cast<const char*>(known.features.data()), sizeof(known.features));
    bytes.push_back(known.right ? 1 : 0);
  }
  return bytes;
}

bool Verifier::Restore(std::string_view saved) {
  constexpr size_t kKnownBytes = sizeof(Features) + 1;
  constexpr size_t kLatestBytes = kLatest * sizeof(float);
  Saved head;
  if (learned_ > 0 || saved.size() < sizeof(head) + kLatestBytes) return false;
  std::memcpy(&head, saved.data(), sizeof(head));
  if (head.layout != Saved().layout || head.features != kFeatures || head.latest != kLatest) return false;
  const std::string_view latest = saved.substr(sizeof(head), kLatestBytes);
  const std::string_view known = saved.substr(sizeof(head) + kLatestBytes);
  if (head.known > kMaxKnown || known.size() != head.known * kKnownBytes || head.learned < head.known)
    return false;
  const auto finite = [](double x) { return std::isfinite(x); };
  if (!std::all_of(head.rule.weights.begin(), head.rule.weights.end(), finite)) return false;
  std::vector<Known> fresh(head.known);
  for (size_t i = 0; i < fresh.size(); ++i) {
    std::memcpy(fresh[i].features.data(), known.data() + i * kKnownBytes, sizeof(Features));
    fresh[i].right = known[i * kKnownBytes + sizeof(Features)] != 0;
    if (!std::all_of(fresh[i].features.begin(), fresh[i].features.end(), finite)) return false;
  }

  known_ = std::move(fresh);
  learned_ = head.learned;
  audits_judged_ = head.audits_judged;
  audits_wrong_ = head.audits_wrong;
  draws_.store(head.draws, std::memory_order_relaxed);
  for (size_t i = 0; i < kLatest; ++i) {
    float score;
    std::memcpy(&score, latest.data() + i * sizeof(score), sizeof(score));
    latest_[i].store(score, std::memory_order_relaxed);
  }
  requests_.store(head.requests, std::memory_order_relaxed);
  if (head.delta != options_.delta || head.alpha != options_.alpha ||
      head.bound != static_cast<uint64_t>(options_.bound)) {
    if (learned_ >= next_look_) Look();
    return true;
  }
  looks_ = static_cast<int>(std::min<uint64_t>(head.looks, 1'000'000));
  next_look_ = std::clamp(head.next_look, learned_ + 1, learned_ + 2 * kMaxKnown);
  epochs_->Retire(rule_.exchange(new Rule(head.rule)), sizeof(Rule));
  return true;
}

Verifier::Report Verifier::GetReport() const {
  Report report;
  report.judged = learned_;
  report.audits_judged = audits_judged_;
  report.audits_wrong = audits_wrong_;
  report.least_score = rule_.load()->least_score;
  const size_t count = std::min<uint64_t>(requests_.load(std::memory_order_relaxed), kLatest);
  size_t hits = 0;
  for (size_t i = 0; i < count; ++i) {
    hits += latest_[i].load(std::memory_order_relaxed) >= report.least_score;
  }
  if (count > 0) report.hit_share = static_cast<double>(hits) / static_cast<double>(count);
  return report;
}

}  // namespace purser::cache
