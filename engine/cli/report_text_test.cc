#include "engine/cli/report_text.h"

#include "gtest/gtest.h"

namespace purser::cli {
namespace {

TEST(ReportTextTest, WidestLeftColumnGivesWay) {
  std::vector<std::vector<std::string>> rows = {
      {"name", "cost"}, {"short", "$1"}, {"a very long name indeed", "$1,000"}};
  CutToWidth(1, 100, &rows);
  EXPECT_EQ(rows[2][0], "a very long name indeed");
  CutToWidth(1, 20, &rows);
  EXPECT_EQ(rows[1][0], "short");
  EXPECT_EQ(rows[2][0], "a very long…");
}

TEST(ReportTextTest, HostileIdsCannotDriveTheTerminal) {
  EXPECT_EQ(Printable("\x1b[2Jx"), "\\x1b[2Jx");
  EXPECT_EQ(Printable("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(Printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // Right-to-left override.
  EXPECT_EQ(Printable(""), "-");
}

TEST(ReportTextTest, NumbersReadWell) {
  EXPECT_EQ(ShortNumber(9999), "9,999");
  EXPECT_EQ(ShortNumber(12345), "12.3 k");
  EXPECT_EQ(ShortNumber(999'960), "1.0 M");
  EXPECT_EQ(ShortNumber(4'512'345), "4.5 M");
}

}  // namespace
}  // namespace purser::cli
