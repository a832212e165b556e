#include "cache/verifier.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace purser::cache {
namespace {

// A stream of requests whose nearest entry is right with a chance that grows with its similarity. What is
// right becomes known after misses and audits only.
class Stream {
 public:
  explicit Stream(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 200; ++i) {
      records_.emplace_back(StoredEntry::Make({.unit = kUnit}), StoredEntry::Free);
      records_.back()->id = static_cast<uint64_t>(i) + 1;
      records_.back()->answer_hash = static_cast<uint64_t>(i);
    }
  }

  struct Counts {
    int hits = 0;
    int wrong = 0;
    int audits = 0;
  };
  Counts Play(Verifier* verifier, int requests) {
    Counts counts;
    for (int i = 0; i < requests; ++i) {
      const Candidate nearest[] = {
          {records_[random_() % records_.size()].get(), 0.3F + 0.7F * uniform_(random_)}};
      const bool right = uniform_(random_) < ChanceAt(nearest[0].similarity);
      const Verifier::Decision decision =
          verifier->Decide(nearest, records_.size(), [](const Candidate&) { return true; });
      if (decision.kind == Verifier::Decision::kHit) {
        ++counts.hits;
        counts.wrong += !right;
      } else {
        counts.audits += decision.kind == Verifier::Decision::kAudit;
        verifier->Learn(decision.trial, right);
      }
    }
    return counts;
  }

 private:
  static float ChanceAt(float similarity) { return 1.0F / (1.0F + std::exp(-25.0F * (similarity - 0.6F))); }
  inline static const std::vector<float> kUnit = std::vector<float>(32, std::sqrt(1.0F / 32.0F));

  std::mt19937_64 random_;
  std::uniform_real_distribution<float> uniform_;
  std::vector<std::unique_ptr<StoredEntry, void (*)(StoredEntry*)>> records_;
};

TEST(VerifierTest, TheStatedErrorIsKeptWithEitherBound) {
  constexpr int kRequests = 4000;
  for (const Bound bound : {Bound::kHits, Bound::kRequests}) {
    for (const double delta : {0.02, 0.05}) {
      int broken = 0;
      int hits = 0;
      for (uint64_t seed = 1; seed <= 8; ++seed) {
        Epochs epochs;
        Verifier verifier({.delta = delta, .bound = bound, .seed = seed}, &epochs);
        const Stream::Counts counts = Stream(seed).Play(&verifier, kRequests);
        const int among = bound == Bound::kHits ? counts.hits : kRequests;
        broken += counts.wrong > delta * among;
        hits += counts.hits;
      }
      // Each statement may fail with a chance of 5 %.
      EXPECT_LE(broken, 1) << "delta " << delta << (bound == Bound::kHits ? " of hits" : " of requests");
      EXPECT_GT(hits, 8 * kRequests / 10) << "delta " << delta;
    }
  }
}

TEST(VerifierTest, NothingIsAHitBeforeEnoughIsKnown) {
  Epochs epochs;
  Verifier verifier({.delta = 0.05}, &epochs);
  EXPECT_EQ(Stream(1).Play(&verifier, 90).hits, 0);
}

TEST(VerifierTest, AuditsAreTheShareOfWouldBeHitsThatWasAskedFor) {
  Epochs epochs;
  Verifier verifier({.delta = 0.05, .audit_rate = 0.25}, &epochs);
  Stream stream(2);
  stream.Play(&verifier, 3000);
  const Stream::Counts counts = stream.Play(&verifier, 4000);
  ASSERT_GT(counts.hits, 500);
  EXPECT_NEAR(static_cast<double>(counts.audits) / (counts.hits + counts.audits), 0.25, 0.04);
}

TEST(VerifierTest, WhatWasSavedIsRestoredAndNothingElseIs) {
  Epochs epochs;
  const VerifiedOptions options = {.delta = 0.05, .audit_rate = 0.1};
  Verifier first(options, &epochs);
  Stream(5).Play(&first, 3000);
  const std::string saved = first.Save();
  Verifier second(options, &epochs);
  ASSERT_TRUE(second.Restore(saved));
  EXPECT_EQ(second.Save(), saved);
  const Stream::Counts expected = Stream(6).Play(&first, 2000);
  const Stream::Counts actual = Stream(6).Play(&second, 2000);
  EXPECT_GT(expected.hits, 100);
  EXPECT_EQ(actual.hits, expected.hits);
  EXPECT_EQ(actual.audits, expected.audits);

  EXPECT_FALSE(second.Restore(saved)) << "it has learned";
  Verifier third(options, &epochs);
  EXPECT_FALSE(third.Restore(""));
  EXPECT_FALSE(third.Restore(saved.substr(0, saved.size() - 1)));
  EXPECT_FALSE(third.Restore(saved + "x"));
  std::string other_layout = saved;
  other_layout[0] = 77;
  EXPECT_FALSE(third.Restore(other_layout));
  EXPECT_EQ(third.GetReport().judged, 0U);
}

}  // namespace
}  // namespace purser::cache
