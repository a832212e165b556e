#include "engine/cli/lines_by_request.h"

#include <fstream>

#include "gtest/gtest.h"

namespace purser::cli {
namespace {

using Kind = nlohmann::json::value_t;

std::string FileOf(const std::string& text) {
  const std::string path = testing::TempDir() + "/lines.jsonl";
  std::ofstream(path) << text;
  return path;
}

TEST(LinesByRequestTest, KeepsWhatWasAskedForOfTheLastLineOfEachRequest) {
  const auto lines = ReadLinesByRequest(FileOf("{\"request_id\": \"a\", \"prompt\": \"old\"}\n"
                                               "\n  \r\n"
                                               "{\"request_id\": \"b\", \"prompt\": \"two\", \"from\": 1}\n"
                                               "{\"prompt\": \"new\", \"more\": [], \"request_id\": \"a\"}"),
                                        "prompt", Kind::string, "from");
  ASSERT_TRUE(lines.ok()) << lines.status();
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_EQ(lines->at("a").dump(), R"({"prompt":"new"})");
  EXPECT_EQ(lines->at("b").dump(), R"({"prompt":"two","from":1})");
}

TEST(LinesByRequestTest, MistakesNameTheLineAndWhatIsExpected) {
  const std::string good = "{\"request_id\": \"a\", \"embedding\": [1]}\n";
  for (const std::string bad :
       {"no json", "[]", "{\"request_id\": \"a\"}", "{\"embedding\": [1]}",
        "{\"request_id\": 7, \"embedding\": [1]}", "{\"request_id\": \"a\", \"embedding\": \"1\"}"}) {
    const auto lines = ReadLinesByRequest(FileOf(good + bad), "embedding", Kind::array);
    ASSERT_FALSE(lines.ok()) << bad;
    EXPECT_NE(lines.status().message().find(
                  R"(lines.jsonl:2: the line is not {"request_id": "...", "embedding": [...]})"),
              absl::string_view::npos)
        << lines.status();
  }
  EXPECT_EQ(ReadLinesByRequest("no/such/file", "embedding", Kind::array).status().message(),
            R"(no/such/file: cannot be read; expected lines of {"request_id", "embedding"})");
}

}  // namespace
}  // namespace purser::cli
