// purser prices import: public price tables to price books. purser prices diff: what changed between two
// books.

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/cli/verbs.h"
#include "engine/pricing/price_book.h"
#include "engine/pricing/tables/book_diff.h"
#include "engine/pricing/tables/import.h"
#include "policies/read_file.h"

namespace purser::cli {
namespace {

constexpr char kVerb[] = "prices";

struct ImportArguments {
  std::string from;
  std::string in;
  std::string out;
  std::string date;
  bool allow_suspicious = false;
};

std::string ReadOrFail(const std::string& path) {
  absl::StatusOr<std::string> text = ReadWholeFile(path);
  if (!text.ok()) Fail(kVerb, absl::StrCat(path, " ", text.status().message()));
  return *std::move(text);
}

void Import(const ImportArguments& arguments) {
  const std::string table = ReadOrFail(arguments.in);
  pricing::ImportOptions options;
  options.allow_suspicious = arguments.allow_suspicious;
  options.source_date = arguments.date;
  pricing::ImportReport report;
  const auto book = arguments.from == "litellm" ? pricing::ImportLiteLlm(table, options, &report)
                                                : pricing::ImportGenaiPrices(table, options, &report);
  if (!book.ok()) Fail(kVerb, absl::StrCat(arguments.in, ": ", book.status().message()).c_str());
  std::ofstream out(arguments.out, std::ios::binary | std::ios::trunc);
  out << pricing::WriteBook(*book);
  out.close();
  if (!out) Fail(kVerb, absl::StrCat(arguments.out, " cannot be written").c_str());

  int left_out = 0;
  for (const pricing::ImportReport::Row& row : report.rows) {
    const bool kept = row.fate == pricing::ImportReport::Fate::kKept;
    left_out += kept ? 0 : 1;
    std::printf("%s %s: %s\n", kept ? "kept    " : "left out", row.name.c_str(), row.reason.c_str());
  }
  std::printf("%s: %d rows read, %d imported, %d left out\n", arguments.in.c_str(), report.read,
              report.imported, left_out);
}

struct DiffArguments {
  std::string before;
  std::string after;
};

std::shared_ptr<const pricing::PriceBook> LoadBook(const std::string& path) {
  auto book = pricing::PriceBook::Load({path});
  if (!book.ok()) Fail(kVerb, std::string(book.status().message()));
  return *book;
}

void Diff(const DiffArguments& arguments) {
  const auto before = LoadBook(arguments.before);
  const auto after = LoadBook(arguments.after);
  int added = 0, removed = 0, changed = 0;
  for (const pricing::BookChange& change : pricing::DiffBooks(*before, *after)) {
    switch (change.what) {
      case pricing::BookChange::What::kAdded:
        ++added;
        std::printf("+ %s\n", change.model.c_str());
        break;
      case pricing::BookChange::What::kRemoved:
        ++removed;
        std::printf("- %s\n", change.model.c_str());
        break;
      case pricing::BookChange::What::kChanged:
        ++changed;
        std::printf("~ %s\n", change.model.c_str());
        for (const std::string& line : change.lines) std::printf("    %s\n", line.c_str());
        break;
    }
  }
  std::printf("%d added, %d removed, %d changed\n", added, removed, changed);
}

}  // namespace

void AddPricesVerb(Verb app) {
  Verb verb = app.AddVerb("prices", "Import price tables and compare price books");
  auto arguments = std::make_shared<ImportArguments>();
  Verb importing = verb.AddVerb("import", "Turn a public price table into a price book");
  importing.Add("--from", &arguments->from, "Which table it is")
      .Required()
      .OneOf({"litellm", "genai-prices"});
  importing.Add("IN", &arguments->in, "The table, JSON").Required();
  importing.Add("--out", &arguments->out, "Where to write the book, protobuf text").Required();
  importing.Add("--date", &arguments->date, "Date of the prices, for the book's provenance");
  importing.AddFlag("--allow-suspicious", &arguments->allow_suspicious, "Keep rows that look like slips");
  importing.Footer("Example: purser prices import --from litellm model_prices.json --out litellm.textproto");
  importing.Run([arguments] { Import(*arguments); });

  auto books = std::make_shared<DiffArguments>();
  Verb diff = verb.AddVerb("diff", "Show what changed from one price book to another");
  diff.Add("BEFORE", &books->before, "Price book").Required();
  diff.Add("AFTER", &books->after, "Price book").Required();
  diff.Footer("Example: purser prices diff june.textproto july.textproto");
  diff.Run([books] { Diff(*books); });
}

}  // namespace purser::cli
