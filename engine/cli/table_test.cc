#include "engine/cli/table.h"

#include "gtest/gtest.h"

namespace purser::cli {
namespace {

TEST(Table, AlignsByWhatATerminalShows) {
  Table table({{"model"}, {"calls", Table::Align::kRight}, {"note"}});
  table.AddRow({"gpt-4o", "1,229", ""});
  table.AddRow({"modèle", "7", "x"});
  table.AddRow({"short"});
  EXPECT_EQ(table.ToString(),
            "  model   calls  note\n"
            "  gpt-4o  1,229\n"
            "  modèle      7  x\n"
            "  short\n");
}

TEST(Table, ThousandsAreSeparated) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(-123), "-123");
  EXPECT_EQ(WithCommas(-1234), "-1,234");
  EXPECT_EQ(WithCommas(1234567), "1,234,567");
}

}  // namespace
}  // namespace purser::cli
