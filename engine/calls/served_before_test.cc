#include "engine/calls/served_before.h"

#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace purser {
namespace {

Request Of(std::string_view tenant, std::string_view session, std::string_view task) {
  Request request;
  request.tenant = tenant;
  request.session = session;
  request.task = task;
  return request;
}

TEST(ServedBeforeTest, ATaskGoesBeforeItsSession) {
  ServedBefore served;
  EXPECT_EQ(served.Find(Of("t", "s", "a")), 0u);
  served.Note(Of("t", "s", "a"), 7);
  EXPECT_EQ(served.Find(Of("t", "s", "a")), 7u);
  EXPECT_EQ(served.Find(Of("t", "s", "b")), 7u);  // A new task of the session.
  served.Note(Of("t", "s", "b"), 8);
  EXPECT_EQ(served.Find(Of("t", "s", "a")), 7u);
  EXPECT_EQ(served.Find(Of("t", "s", "")), 8u);
}

TEST(ServedBeforeTest, TenantsAndKindsAreApart) {
  ServedBefore served;
  served.Note(Of("t", "s", ""), 7);
  EXPECT_EQ(served.Find(Of("u", "s", "")), 0u);
  EXPECT_EQ(served.Find(Of("t", "", "s")), 0u);
  EXPECT_EQ(served.Find(Of("t", "", "")), 0u);
  served.Note(Of("t", "", ""), 9);
  EXPECT_EQ(served.Find(Of("t", "", "")), 0u);
}

TEST(ServedBeforeTest, TooManyAreForgottenAndNeverMistaken) {
  ServedBefore served;
  constexpr uint64_t kSessions = 200'000;
  uint64_t known = 0;
  for (uint64_t i = 1; i <= kSessions; ++i) served.Note(Of("t", std::to_string(i), ""), i);
  for (uint64_t i = 1; i <= kSessions; ++i) {
    const uint64_t found = served.Find(Of("t", std::to_string(i), ""));
    EXPECT_TRUE(found == i || found == 0) << i;
    known += found == i ? 1 : 0;
  }
  EXPECT_GT(known, 50'000u);
  EXPECT_LT(known, kSessions);
}

// Writers of two models race for the same sessions: what is found is one of the two.
TEST(ServedBeforeTest, ARaceLeavesOneOfTheModels) {
  ServedBefore served;
  const std::vector<std::string> sessions = {"a", "b", "c", "d", "e", "f", "g", "h"};
  const auto write = [&](uint64_t model) {
    for (int round = 0; round < 20'000; ++round) {
      const std::string& session = sessions[static_cast<size_t>(round) % sessions.size()];
      served.Note(Of("t", session, ""), model);
      const uint64_t found = served.Find(Of("t", session, ""));
      ASSERT_TRUE(found == 0 || found == 0x1111111111111111u || found == 0x2222222222222222u) << found;
    }
  };
  std::thread other(write, 0x1111111111111111u);
  write(0x2222222222222222u);
  other.join();
}

}  // namespace
}  // namespace purser
