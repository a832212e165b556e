#include "engine/revision/namespace_template.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace purser {
namespace {

using ::testing::HasSubstr;

std::string Rendered(const NamespaceTemplate& parsed, const Request& request) {
  std::string out = "left over";
  parsed.Render(request, &out);
  return out;
}

TEST(NamespaceTemplate, EqualOnlyIfEveryNamedFieldIs) {
  const auto parsed = NamespaceTemplate::Parse("{tenant}/{feature}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const std::string_view kHostile[] = {
      "", "/", "a", "a/", "/a", "b", "a/b", std::string_view("\0", 1), "{feature}"};
  for (const std::string_view tenant : kHostile) {
    for (const std::string_view feature : kHostile) {
      Request request{{.tenant = tenant, .feature = feature}};
      for (const std::string_view other_tenant : kHostile) {
        for (const std::string_view other_feature : kHostile) {
          const Request other{{.tenant = other_tenant, .feature = other_feature, .session = "ignored"}};
          EXPECT_EQ(Rendered(*parsed, request) == Rendered(*parsed, other),
                    tenant == other_tenant && feature == other_feature);
        }
      }
    }
  }
}

TEST(NamespaceTemplate, ALiteralAloneIsOneNamespaceForAll) {
  const auto parsed = NamespaceTemplate::Parse("shared");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(Rendered(*parsed, {{.tenant = "a"}}), Rendered(*parsed, {{.tenant = "b"}}));
}

TEST(NamespaceTemplate, MistakesSayWhatWasExpected) {
  EXPECT_THAT(std::string(NamespaceTemplate::Parse("{tenant").status().message()), HasSubstr("never closed"));
  EXPECT_THAT(std::string(NamespaceTemplate::Parse("{tenent}").status().message()),
              HasSubstr("{tenant}, {customer}"));
}

}  // namespace
}  // namespace purser
