#include "policies/check_caching.h"

#include <gtest/gtest.h>

#include <string>

#include "policies/textproto.h"

namespace purser {
namespace {

// All that is said of a policy with this caching section.
std::string DiagnosticsOf(const std::string& caching) {
  policy::Policy policy;
  Diagnostics diagnostics =
      ParseTextproto("request_classes { name: \"chat\" }\ncaching {\n" + caching + "\n}", "p", &policy);
  CheckCaching(policy, &diagnostics);
  std::string all;
  for (const Diagnostic& diagnostic : diagnostics.Sorted()) all += diagnostic.ToString() + "\n";
  return all;
}

TEST(CheckCachingTest, WhatIsWellFormedPasses) {
  EXPECT_EQ(DiagnosticsOf(""), "");
  EXPECT_EQ(DiagnosticsOf(R"(
    defaults { mode: VERIFIED ttl: "90m" threshold: 0.85 lookup_cost_usd: "0.000001" }
    classes { request_class: "chat" mode: EXACT }
    memory_mib: 64 verified { delta: 0.01 bound: REQUESTS })"),
            "");
}

TEST(CheckCachingTest, EveryMistakeIsNamedWithItsPlace) {
  const struct {
    const char* caching;
    const char* expected;
  } cases[] = {
      {"defaults { ttl: \"soon\" }", "p:3:"},
      {"defaults { ttl: \"0s\" }", "is not a valid time to live"},
      {"defaults { threshold: 1.5 }", "is not a cosine"},
      {"defaults { threshold: 0.2 }", "warning"},
      {"defaults { lookup_cost_usd: \"-1\" }", "negative"},
      {"defaults { request_class: \"chat\" }", "for every class"},
      {"classes { mode: OFF }", "names no class"},
      {"classes { request_class: \"cat\" }", "no request class is named \"cat\""},
      {"classes { request_class: \"chat\" } classes { request_class: \"chat\" }", "a second entry"},
      {"memory_mib: -1", "out of range"},
      {"max_entry_kib: 9999999", "out of range"},
      {"defaults { mode: VERIFIED } verified { delta: 1.0 }", "is not a fraction"},
      {"verified { delta: 0.1 }", "has no effect"},
  };
  for (const auto& test : cases) {
    EXPECT_NE(DiagnosticsOf(test.caching).find(test.expected), std::string::npos)
        << test.caching << "\n"
        << DiagnosticsOf(test.caching);
  }
}

}  // namespace
}  // namespace purser
