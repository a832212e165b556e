#ifndef PURSER_ENGINE_ROUTING_LANGUAGE_OF_TEXT_H_
#define PURSER_ENGINE_ROUTING_LANGUAGE_OF_TEXT_H_

#include <span>
#include <string_view>

namespace purser::routing {

// In what script, and probably in what language, a text is written.
struct Writing {
  // Of most of its letters: "latin", "greek", "cyrillic", "hebrew", "arabic", "devanagari", "bengali",
  // "tamil", "thai", "hangul", "kana" (Japanese, with or without han) or "han". Empty: it has no letters of
  // these.
  std::string_view script;
  // ISO 639-1: told by the script alone (el, he, th, ko, ja, zh), or by words that carry the grammar: en, de,
  // fr, es, it, pt, nl, sv, pl, tr; ru, uk, bg; ar, fa. Empty: not told, which short texts often are not.
  std::string_view language;
};

// Judged by the first 100 words, some kilobytes at most. Does not allocate. What is returned lives forever.
Writing WritingOf(std::string_view text);

// All that WritingOf may say, beside the empty text.
std::span<const std::string_view> Scripts();
std::span<const std::string_view> Languages();

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_LANGUAGE_OF_TEXT_H_
