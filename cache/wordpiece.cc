#include "cache/wordpiece.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace purser::cache {
namespace {

// Base letters of U+00C0 to U+017F; '.' where there is none (ligatures, signs).
constexpr std::string_view kBaseLetters =
    "AAAAAA.CEEEEIIII.NOOOOO..UUUUY..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
    "AaAaAaCcCcCcCcDd..EeEeEeEeEeGgGgGgGgHh..IiIiIiIiI...JjKk.LlLlLlLl..NnNnNn...OoOoOo..RrRrRrSsSsSsSsTtTt.."
    "UuUu"
    "UuUuUuUuWwYyYZzZzZz.";
static_assert(kBaseLetters.size() == 0x180 - 0xC0);

// Takes one code point off the front; a byte that begins none counts as U+FFFD.
uint32_t TakeCodePoint(std::string_view* text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>((*text)[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 0;
  if (length == 0 || length > text->size()) {
    text->remove_prefix(1);
    return 0xFFFD;
  }
  uint32_t code = length == 1 ? lead : lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      text->remove_prefix(1);
      return 0xFFFD;
    }
    code = code << 6 | (byte(i) & 0x3FU);
  }
  text->remove_prefix(length);
  return code;
}

void Append(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xC0 | code >> 6));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | code >> 12));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xF0 | code >> 18));
    out->push_back(static_cast<char>(0x80 | (code >> 12 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

uint32_t Lower(uint32_t code) {
  if (code >= 'A' && code <= 'Z') return code + 32;
  if (code >= 0xC0 && code <= 0xDE && code != 0xD7) return code + 32;
  if ((code >= 0x100 && code <= 0x137) || (code >= 0x14A && code <= 0x177)) return code | 1;
  if ((code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17E)) return code + (code & 1);
  if (code >= 0x391 && code <= 0x3A9) return code + 32;
  if (code >= 0x410 && code <= 0x42F) return code + 32;
  if (code >= 0x400 && code <= 0x40F) return code + 80;
  return code;
}

uint32_t WithoutAccent(uint32_t code) {
  if (code < 0xC0 || code >= 0x180) return code;
  const char base = kBaseLetters[code - 0xC0];
  return base == '.' ? code : static_cast<uint32_t>(base);
}

bool IsSpace(uint32_t code) {
  return code == ' ' || code == '\t' || code == '\n' || code == '\r' || code == 0xA0 || code == 0x3000 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x202F;
}

bool IsControl(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xFFFD ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x300 && code <= 0x36F);  // Combining accents go too.
}

bool IsPunctuation(uint32_t code) {
  return (code >= 33 && code <= 47) || (code >= 58 && code <= 64) || (code >= 91 && code <= 96) ||
         (code >= 123 && code <= 126) || code == 0xA1 || code == 0xA7 || code == 0xAB || code == 0xB6 ||
         code == 0xB7 || code == 0xBB || code == 0xBF || (code >= 0x2010 && code <= 0x205E) ||
         (code >= 0x3001 && code <= 0x3011) || (code >= 0xFF01 && code <= 0xFF0F);
}

bool IsHan(uint32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x20000 && code <= 0x2FA1F);
}

absl::Status InvalidTokenizer(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("tokenizer.json: ", absl::string_view(what.data(), what.size())));
}

}  // namespace

absl::StatusOr<WordPiece> WordPiece::FromTokenizerJson(std::string_view json) {
  using Json = nlohmann::json;
  const Json file = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!file.is_object()) return InvalidTokenizer("not a JSON object");
  if (!file.contains("model") || !file["model"].is_object()) return InvalidTokenizer("has no \"model\"");
  const Json& model = file["model"];
  if (model.value("type", Json()) != "WordPiece")
    return InvalidTokenizer("its model is not of type \"WordPiece\"");
  if (!model.contains("vocab") || !model["vocab"].is_object())
    return InvalidTokenizer("its model has no \"vocab\"");
  WordPiece result;
  if (model.contains("max_input_chars_per_word") && model["max_input_chars_per_word"].is_number_unsigned()) {
    result.longest_word_ = model["max_input_chars_per_word"].get<size_t>();
  }
  std::string prefix = "##";
  if (model.contains("continuing_subword_prefix") && model["continuing_subword_prefix"].is_string()) {
    prefix = model["continuing_subword_prefix"].get<std::string>();
  }
  const std::string unknown = model.contains("unk_token") && model["unk_token"].is_string()
                                  ? model["unk_token"].get<std::string>()
                                  : "[UNK]";
  for (const auto& [piece, number] : model["vocab"].items()) {
    if (!number.is_number_unsigned() || number.get<uint64_t>() >= UINT32_MAX) {
      return InvalidTokenizer(absl::StrCat("the number of piece \"", piece, "\" is not one"));
    }
    const auto id = number.get<uint32_t>();
    result.size_ = std::max(result.size_, id + 1);
    if (piece == unknown || piece.empty()) continue;
    result.longest_piece_ = std::max(result.longest_piece_, piece.size());
    if (!prefix.empty() && piece.starts_with(prefix) && piece.size() > prefix.size()) {
      result.continuing_[piece.substr(prefix.size())] = id;
    } else {
      result.beginning_[piece] = id;
    }
  }
  if (file.contains("normalizer") && file["normalizer"].is_object()) {
    const Json& normalizer = file["normalizer"];
    const auto flag = [&](const char* name, bool fallback) {
      return normalizer.contains(name) && normalizer[name].is_boolean() ? normalizer[name].get<bool>()
                                                                        : fallback;
    };
    result.lower_case_ = flag("lowercase", true);
    result.strip_accents_ = flag("strip_accents", result.lower_case_);
  }
  return result;
}

void WordPiece::Cut(std::string_view text, std::vector<uint32_t>* pieces) const {
  thread_local std::string word;
  pieces->clear();
  word.clear();
  const auto end_word = [&] {
    if (!word.empty()) CutWord(word, pieces);
    word.clear();
  };
  while (!text.empty()) {
    uint32_t code = TakeCodePoint(&text);
    if (IsSpace(code)) {
      end_word();
      continue;
    }
    if (IsControl(code)) continue;
    if (strip_accents_) code = WithoutAccent(code);
    if (lower_case_) code = Lower(code);
    const bool alone = IsPunctuation(code) || IsHan(code);
    if (alone) end_word();
    Append(code, &word);
    if (alone) end_word();
  }
  end_word();
}

void WordPiece::CutWord(std::string_view word, std::vector<uint32_t>* pieces) const {
  const size_t characters = static_cast<size_t>(std::count_if(
      word.begin(), word.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  if (characters > longest_word_) return;
  const size_t before = pieces->size();
  size_t at = 0;
  while (at < word.size()) {
    const auto& known = at == 0 ? beginning_ : continuing_;
    size_t size = std::min(word.size() - at, longest_piece_);
    for (; size > 0; --size) {
      const auto found = known.find(absl::string_view(word.data() + at, size));
      if (found == known.end()) continue;
      pieces->push_back(found->second);
      break;
    }
    if (size == 0) {
      // A word that cannot be cut to the end is unknown as a whole.
      pieces->resize(before);
      return;
    }
    at += size;
  }
}

}  // namespace purser::cache
