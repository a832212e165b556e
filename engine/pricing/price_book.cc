#include "engine/pricing/price_book.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "engine/pricing/model_compiler.h"
#include "engine/pricing/name_match.h"
#include "engine/pricing/usage_rules.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "policies/read_file.h"
#include "policies/textproto.h"
#include "purser/pricing.pb.h"
#include "re2/re2.h"
#include "xxhash.h"

namespace purser::pricing {
namespace {

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

// Takes a name as people give it to the form that match rules see.
std::string Normal(std::string_view name) {
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(Absl(name)));
}

// "gpt-5-20260115" -> "gpt-5-2026-01-15": several providers write both. Only real dates from 2000 on, and
// only where the name or a ":" or "-" follows.
std::string WithDashedDates(const std::string& name) {
  std::string dashed;
  for (size_t i = 0; i < name.size();) {
    const auto digit = [&](size_t at) { return at < name.size() && absl::ascii_isdigit(name[at]); };
    bool date = name[i] == '-' && name.compare(i + 1, 2, "20") == 0;
    for (size_t k = 1; date && k <= 8; ++k) date = digit(i + k);
    const size_t end = i + 9;
    date = date && (end == name.size() || name[end] == '-' || name[end] == ':');
    if (date) {
      const int year = std::stoi(name.substr(i + 1, 4));
      const int month = std::stoi(name.substr(i + 5, 2));
      const int day = std::stoi(name.substr(i + 7, 2));
      const absl::CivilDay real(year, month, day);
      date = real.month() == month && real.day() == day;
    }
    if (!date) {
      dashed.push_back(name[i++]);
      continue;
    }
    absl::StrAppend(&dashed, "-", name.substr(i + 1, 4), "-", name.substr(i + 5, 2), "-",
                    name.substr(i + 7, 2));
    i = end;
  }
  return dashed;
}

struct ProviderEntry {
  std::string id;
  NameMatch match;
  NameMatch implied_by;
  bool has_match = false;
  bool has_implied_by = false;
  std::unique_ptr<re2::RE2> url_pattern;  // Null: none.
  std::vector<std::string> fallbacks;
  std::unique_ptr<UsageRules> usage;
};

// The models of one provider by name.
struct Shelf {
  // The earliest model (by order in the book) that has the name exactly: as its match says, or as its id if
  // it has no match.
  absl::flat_hash_map<std::string, int> exact;
  // The ids of models that have a match; asked last.
  absl::flat_hash_map<std::string, int> ids;
  // As written, for books in which names differ by case.
  absl::flat_hash_map<std::string, int> cased;
  struct Rule {
    int order;
    NameMatch match;
  };
  std::vector<Rule> rules;  // Those that are more than exact names, by order.

  int Find(std::string_view name) const;
};

int Shelf::Find(std::string_view name) const {
  const auto it = exact.find(Absl(name));
  int found = it == exact.end() ? -1 : it->second;
  for (const Rule& rule : rules) {
    if (found >= 0 && rule.order > found) break;
    if (rule.match.Matches(name, false)) return rule.order;
  }
  return found;
}

}  // namespace

struct PriceBook::Index {
  std::vector<ProviderEntry> providers;  // In the order of the book: the first that matches wins.
  absl::flat_hash_map<std::string, int> provider_ids;
  absl::flat_hash_map<std::string, Shelf> shelves;  // By provider id.

  const ProviderEntry* FindProvider(const std::string& name) const;
  int FindModel(const std::string& provider, const std::string& name) const;
  int FindOwnOrFallback(const std::string& provider, const std::string& name) const;
};

const ProviderEntry* PriceBook::Index::FindProvider(const std::string& name) const {
  if (const auto it = provider_ids.find(name); it != provider_ids.end()) return &providers[it->second];
  const bool is_url = name.find("://") != std::string::npos;
  for (const ProviderEntry& provider : providers) {
    if (!is_url && provider.has_match && provider.match.Matches(name)) return &provider;
    if (is_url && provider.url_pattern != nullptr && re2::RE2::PartialMatch(name, *provider.url_pattern)) {
      return &provider;
    }
  }
  return nullptr;
}

int PriceBook::Index::FindOwnOrFallback(const std::string& provider, const std::string& name) const {
  if (const auto it = shelves.find(provider); it != shelves.end()) {
    if (const int found = it->second.Find(name); found >= 0) return found;
  }
  const auto entry = provider_ids.find(provider);
  if (entry == provider_ids.end()) return -1;
  for (const std::string& fallback : providers[entry->second].fallbacks) {
    const auto it = shelves.find(fallback);
    if (it == shelves.end()) continue;
    if (const int found = it->second.Find(name); found >= 0) return found;
  }
  return -1;
}

int PriceBook::Index::FindModel(const std::string& provider, const std::string& name) const {
  if (const int found = FindOwnOrFallback(provider, name); found >= 0) return found;
  const std::string dashed = WithDashedDates(name);
  if (dashed != name) {
    if (const int found = FindOwnOrFallback(provider, dashed); found >= 0) return found;
  }
  const auto it = shelves.find(provider);
  if (it == shelves.end()) return -1;
  const auto id = it->second.ids.find(name);
  return id == it->second.ids.end() ? -1 : id->second;
}

// Puts the files together: what later files override, then the index over what is left.
class PriceBookCompiler {
 public:
  PriceBookCompiler() : book_(new PriceBook()) { book_->index_ = std::make_unique<PriceBook::Index>(); }

  // Adds what is wrong to `diagnostics`, which may know where each field stands.
  void Add(const prices::PriceBook& file, Diagnostics* diagnostics);
  std::shared_ptr<const PriceBook> Finish(uint64_t hash);

 private:
  void AddProvider(const prices::PriceBook& file, int index, Diagnostics* diagnostics);
  void AddModel(const prices::PriceBook& file, int index, Diagnostics* diagnostics);

  struct Named {
    NameMatch match;
    bool has_match = false;
    int file = 0;
  };
  std::unique_ptr<PriceBook> book_;
  std::vector<Named> names_;  // Parallel to book_->models_.
  absl::flat_hash_map<std::string, int> by_key_;
  absl::flat_hash_map<std::string, int> provider_file_;
  int file_ = 0;
};

void PriceBookCompiler::AddProvider(const prices::PriceBook& file, int index, Diagnostics* diagnostics) {
  const prices::Provider& provider = file.providers(index);
  const std::string path = absl::StrCat("providers[", index, "]");
  if (provider.id().empty()) diagnostics->Error(path, "a provider needs an id");
  ProviderEntry entry;
  entry.id = provider.id();
  entry.has_match = provider.has_match();
  entry.has_implied_by = provider.has_implied_by();
  entry.match = NameMatch::Compile(provider.match(), path + ".match", diagnostics);
  entry.implied_by = NameMatch::Compile(provider.implied_by(), path + ".implied_by", diagnostics);
  entry.fallbacks.assign(provider.fallbacks().begin(), provider.fallbacks().end());
  if (!provider.url_pattern().empty()) {
    entry.url_pattern =
        std::make_unique<re2::RE2>(absl::StrCat("^(?:", provider.url_pattern(), ")"), re2::RE2::Quiet);
    if (!entry.url_pattern->ok()) {
      diagnostics->Error(path + ".url_pattern",
                         absl::StrCat("not a regular expression of RE2: ", entry.url_pattern->error()));
    }
  }
  if (!provider.usage().empty()) entry.usage = UsageRules::Compile(provider, path, diagnostics);

  PriceBook::Index& to = *book_->index_;
  const auto [it, added] =
      to.provider_ids.try_emplace(Normal(provider.id()), static_cast<int>(to.providers.size()));
  if (added) {
    to.providers.push_back(std::move(entry));
  } else {
    if (provider_file_[entry.id] == file_)
      diagnostics->Error(path + ".id", absl::StrCat("provider \"", entry.id, "\" is there already"));
    to.providers[it->second] = std::move(entry);
  }
  provider_file_[provider.id()] = file_;
}

void PriceBookCompiler::AddModel(const prices::PriceBook& file, int index, Diagnostics* diagnostics) {
  const prices::Model& model = file.models(index);
  const std::string path = absl::StrCat("models[", index, "]");
  auto prices = CompileModel(model, path, diagnostics);
  Named named;
  named.file = file_;
  named.has_match = model.has_match();
  if (named.has_match) named.match = NameMatch::Compile(model.match(), path + ".match", diagnostics);
  const auto [it, added] = by_key_.try_emplace(absl::StrCat(model.provider(), "\n", model.id()),
                                               static_cast<int>(book_->models_.size()));
  if (added) {
    book_->models_.push_back(std::move(prices));
    names_.push_back(std::move(named));
    return;
  }
  if (names_[it->second].file == file_) {
    diagnostics->Error(path + ".id", absl::StrCat("model \"", model.id(), "\" of provider \"",
                                                  model.provider(), "\" is there already"));
  }
  book_->models_[it->second] = std::move(prices);
  names_[it->second] = std::move(named);
}

void PriceBookCompiler::Add(const prices::PriceBook& file, Diagnostics* diagnostics) {
  for (const prices::Source& source : file.sources()) {
    book_->sources_.push_back({source.name(), source.url(), source.date(), source.content_hash()});
  }
  for (int i = 0; i < file.providers_size(); ++i) AddProvider(file, i, diagnostics);
  book_->models_.reserve(book_->models_.size() + file.models_size());
  for (int i = 0; i < file.models_size(); ++i) AddModel(file, i, diagnostics);
  ++file_;
}

std::shared_ptr<const PriceBook> PriceBookCompiler::Finish(uint64_t hash) {
  PriceBook::Index& index = *book_->index_;
  for (size_t i = 0; i < names_.size(); ++i) {
    const int order = static_cast<int>(i);
    const ModelPrices& model = *book_->models_[i];
    Shelf& shelf = index.shelves[model.provider];
    shelf.cased.try_emplace(model.id, order);
    const std::string id = LowerCase(model.id);
    if (!names_[i].has_match) {
      shelf.exact.try_emplace(id, order);
      continue;
    }
    shelf.ids.try_emplace(id, order);
    for (const std::string& name : names_[i].match.equals()) shelf.exact.try_emplace(name, order);
    if (!names_[i].match.only_equals()) shelf.rules.push_back({order, std::move(names_[i].match)});
  }
  book_->revision_ = absl::StrCat(absl::Hex(hash, absl::kZeroPad16));
  return std::shared_ptr<const PriceBook>(book_.release());
}

PriceBook::PriceBook() = default;
PriceBook::~PriceBook() = default;

std::shared_ptr<const PriceBook> PriceBook::Parse(std::span<const Text> texts,
                                                  std::vector<Diagnostics>* diagnostics) {
  PriceBookCompiler compiler;
  XXH64_hash_t hash = 0;
  bool ok = true;
  for (const Text& text : texts) {
    hash = XXH3_64bits_withSeed(text.text.data(), text.text.size(), hash);
    // The fast way knows no lines. Only if something is wrong is the text read again the slow way, which
    // does.
    google::protobuf::Arena arena;
    prices::PriceBook& file = *google::protobuf::Arena::CreateMessage<prices::PriceBook>(&arena);
    google::protobuf::TextFormat::Parser parser;
    class Silent final : public google::protobuf::io::ErrorCollector {
      void AddError(int, int, const std::string&) override {}
    } silent;
    parser.RecordErrorsTo(&silent);
    Diagnostics found(text.name, SourceMap());
    const bool parsed = parser.ParseFromString(text.text, &file);
    if (parsed) compiler.Add(file, &found);
    if (parsed && found.errors() == 0 && found.warnings() == 0) continue;
    found = ParseTextproto(text.text, text.name, &file);
    PriceBookCompiler checker;
    checker.Add(file, &found);
    ok = ok && found.ok();
    diagnostics->push_back(std::move(found));
  }
  return ok ? compiler.Finish(hash) : nullptr;
}

std::shared_ptr<const PriceBook> PriceBook::Load(const std::vector<std::string>& paths,
                                                 std::vector<Diagnostics>* diagnostics) {
  std::vector<Text> texts;
  bool readable = true;
  for (const std::string& path : paths) {
    absl::StatusOr<std::string> text = ReadWholeFile(path);
    if (!text.ok()) {
      diagnostics->emplace_back(path, SourceMap());
      diagnostics->back().Error(
          "", absl::StrCat(text.status().message(), "; expected a price book in protobuf text"));
      readable = false;
      continue;
    }
    texts.push_back({path, *std::move(text)});
  }
  auto book = Parse(texts, diagnostics);
  return readable ? book : nullptr;
}

namespace {

absl::StatusOr<std::shared_ptr<const PriceBook>> OrStatus(std::shared_ptr<const PriceBook> book,
                                                          const std::vector<Diagnostics>& diagnostics) {
  if (book != nullptr) return book;
  std::vector<std::string> lines;
  for (const Diagnostics& file : diagnostics) {
    if (!file.ok()) lines.emplace_back(file.ToStatus().message());
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const PriceBook>> PriceBook::Load(const std::vector<std::string>& paths) {
  std::vector<Diagnostics> diagnostics;
  auto book = Load(paths, &diagnostics);
  return OrStatus(std::move(book), diagnostics);
}

absl::StatusOr<std::shared_ptr<const PriceBook>> PriceBook::Parse(std::string_view text) {
  const Text one[] = {{"price book", std::string(text)}};
  std::vector<Diagnostics> diagnostics;
  auto book = Parse(one, &diagnostics);
  return OrStatus(std::move(book), diagnostics);
}

std::string_view PriceBook::ResolveProvider(std::string_view provider, std::string_view model) const {
  if (!provider.empty()) {
    const std::string name = Normal(provider);
    if (const ProviderEntry* entry = index_->FindProvider(name)) return entry->id;
    // A book need not describe the providers of its models.
    const auto shelf = index_->shelves.find(Absl(provider));
    if (shelf != index_->shelves.end()) return shelf->first;
    const auto lower = index_->shelves.find(name);
    return lower == index_->shelves.end() ? std::string_view() : std::string_view(lower->first);
  }
  const std::string name = Normal(model);
  for (const ProviderEntry& entry : index_->providers) {
    if (entry.has_implied_by && entry.implied_by.Matches(name)) return entry.id;
  }
  return {};
}

const UsageRules* PriceBook::usage_rules(std::string_view provider) const {
  const ProviderEntry* entry = index_->FindProvider(Normal(provider));
  return entry == nullptr ? nullptr : entry->usage.get();
}

absl::StatusOr<const ModelPrices*> PriceBook::Resolve(std::string_view model,
                                                      std::string_view provider) const {
  const std::string name = Normal(model);
  if (name.empty()) return absl::InvalidArgumentError("no model is named");
  if (Normal(provider) == "litellm" && ResolveProvider(provider).empty()) {
    // A proxy's name, not a seller's: LiteLLM writes "anthropic/claude-sonnet-4-5".
    const size_t slash = model.find('/');
    if (slash != std::string_view::npos && slash > 0 && slash + 1 < model.size() &&
        !ResolveProvider(model.substr(0, slash)).empty()) {
      return Resolve(model.substr(slash + 1), model.substr(0, slash));
    }
    return Resolve(model);
  }
  const std::string id(ResolveProvider(provider, model));
  if (!id.empty()) {
    const auto shelf = index_->shelves.find(id);
    if (shelf != index_->shelves.end()) {
      // Where names differ by case only, the case that was written decides.
      const auto cased = shelf->second.cased.find(Absl(model));
      const int found = index_->FindModel(id, name);
      if (cased != shelf->second.cased.end() && found >= 0 && LowerCase(models_[found]->id) == name) {
        return models_[cased->second].get();
      }
      if (found >= 0) return models_[found].get();
    } else if (const int found = index_->FindModel(id, name); found >= 0) {
      return models_[found].get();
    }
    if (!provider.empty()) {
      return absl::NotFoundError(
          absl::StrCat("provider \"", id, "\" has no price for model \"", Absl(model), "\""));
    }
  }
  if (!provider.empty()) {
    return absl::NotFoundError(absl::StrCat("no prices for provider \"", Absl(provider), "\""));
  }
  std::vector<std::string> sellers;
  int found = -1;
  for (const auto& [seller, shelf] : index_->shelves) {
    const int order = index_->FindModel(seller, name);
    if (order < 0 || models_[order]->provider != seller) continue;
    sellers.push_back(seller);
    found = order;
  }
  if (sellers.size() == 1) return models_[found].get();
  if (sellers.empty()) {
    return absl::NotFoundError(absl::StrCat("no provider has a price for model \"", Absl(model), "\""));
  }
  std::sort(sellers.begin(), sellers.end());
  return absl::InvalidArgumentError(absl::StrCat("several providers sell \"", Absl(model),
                                                 "\": say which of them: ", absl::StrJoin(sellers, ", ")));
}

}  // namespace purser::pricing
