// The tutorial at the top of <purser/purser.h>, compiled and run as it stands there.

#include <purser/purser.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "gtest/gtest.h"

// What the tutorial's reader would write as an assertion.
#define CHECK(condition)                                          \
  do {                                                            \
    if (!(condition)) {                                           \
      ADD_FAILURE() << "the tutorial's claim fails: " #condition; \
      return;                                                     \
    }                                                             \
  } while (false)

namespace {

// A provider that answers every call in OpenAI's shape: 1,000 tokens in, 100 out.
struct Provider {
  std::string Call(const std::string& model, int64_t) const {
    return R"({"model":")" + model +
           R"(","usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}})";
  }
};

void RunTutorial(const std::string& ledger_dir) {
  const Provider provider;
#include "tests/tutorial.inc"
}

TEST(Tutorial, EveryClaimHolds) {
  const std::filesystem::path ledger = std::filesystem::path(::testing::TempDir()) / "tutorial_ledger";
  std::filesystem::remove_all(ledger);
  RunTutorial(ledger.string());
  std::filesystem::remove_all(ledger);
}

}  // namespace
