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

}  // namespace
}  // namespace purser::cli
