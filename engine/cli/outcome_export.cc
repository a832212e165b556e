#include "engine/cli/outcome_export.h"

#include <fstream>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/cli/told_outcome.h"
#include "engine/ledger/record_reader.h"
#include "nlohmann/json.hpp"

namespace purser::cli {
namespace {

using Json = nlohmann::ordered_json;

// By request id: what of a line goes into the file.
using Embeddings = std::unordered_map<std::string, Json>;

absl::StatusOr<Embeddings> ReadEmbeddings(const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be read; expected lines of {\"request_id\", \"embedding\"}"));
  }
  Embeddings embeddings;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    const bool good = line.is_object() && line.contains("request_id") && line["request_id"].is_string() &&
                      line.contains("embedding") && line["embedding"].is_array();
    if (!good) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ":", number, ": the line is not {\"request_id\": \"...\", \"embedding\": [...]}"));
    }
    Json kept;
    kept["embedding"] = std::move(line["embedding"]);
    if (line.contains("embedding_model")) kept["embedding_model"] = line["embedding_model"];
    embeddings.insert_or_assign(line["request_id"].get<std::string>(), std::move(kept));
  }
  return embeddings;
}

}  // namespace

absl::StatusOr<OutcomeExport> ExportOutcomes(const std::string& ledger, const std::string& embeddings,
                                             const std::string& out) {
  absl::StatusOr<Embeddings> known = ReadEmbeddings(embeddings);
  if (!known.ok()) return known.status();
  absl::StatusOr<std::unique_ptr<ledger::RecordReader>> reader = ledger::RecordReader::Open(ledger);
  if (!reader.ok()) return reader.status();
  (*reader)->LeaveOutLists();
  std::ofstream file(out);
  OutcomeExport exported;
  ledger::Entry entry;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&entry);
    if (!more.ok()) return more.status();
    if (!*more) break;
    const ledger::RecordView& record = entry.record;
    if (entry.adjustment || entry.sign < 0 || record.cache_hit != ledger::CACHE_NONE) continue;
    const std::optional<double> good = ToldOutcome(record);
    const auto embedding = known->find(std::string(record.request_id));
    if (!good) {
      ++exported.without_outcome;
    } else if (embedding == known->end()) {
      ++exported.without_embedding;
    } else {
      Json line = embedding->second;
      line["outcomes"][std::string(record.candidate)] = *good;
      file << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
      ++exported.written;
    }
  }
  file.close();
  if (!file) {
    return absl::UnavailableError(
        absl::StrCat(out, ": cannot be written; is there such a folder, and space?"));
  }
  return exported;
}

}  // namespace purser::cli
