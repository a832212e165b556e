#ifndef PURSER_ENGINE_ROUTING_TEXT_MEASURES_H_
#define PURSER_ENGINE_ROUTING_TEXT_MEASURES_H_

#include <cstdint>
#include <string_view>

namespace purser::routing {

// Counts read off a text in one pass: what policy.proto's Measure offers and what the learned scorer sees
// beside words. Bytes that are no valid UTF-8 are counted as letters of no script.
struct TextMeasures {
  int32_t bytes = 0;
  int32_t words = 0;  // Runs of letters, digits and inner apostrophes.
  int32_t letters = 0;
  int32_t non_latin_letters = 0;  // Of the letters: code points from Greek on.
  int32_t capitals = 0;           // ASCII capitals.
  int32_t long_words = 0;         // Of 8 bytes and more.
  int32_t sentences = 0;          // ".", "!", "?" after a word and before a space or the end.
  int32_t numbers = 0;            // "3", "1,250.50", "1/2" is two.
  int32_t question_marks = 0;
  int32_t list_items = 0;  // Lines that open with "-", "*", "•", "1." or "a)".
  int32_t lines = 0;       // Lines that are not empty.
  int32_t digits = 0;
  int32_t commas = 0;
  int32_t parentheses = 0;   // Opening ones.
  int32_t longest_line = 0;  // In bytes.

  // Words of four kinds, in English.
  int32_t constraints = 0;  // Bind the answer: "must", "exactly", "without" ...
  int32_t negations = 0;    // "not", "except", "false" ...
  int32_t quantities = 0;   // Relate amounts: "half", "twice", "than", "each" ...
  int32_t conditions = 0;   // "if", "suppose", "when" ...
  int32_t code_marks = 0;
  int32_t math_marks = 0;

  // Mean letters a word; 0 without words.
  double WordLength() const { return words == 0 ? 0.0 : static_cast<double>(letters) / words; }
  double NonLatinShare() const {
    return letters == 0 ? 0.0 : static_cast<double>(non_latin_letters) / letters;
  }
};

// Adds what `text` holds to `measures`: a text may be measured in pieces. Does not allocate.
void Measure(std::string_view text, TextMeasures* measures);

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_TEXT_MEASURES_H_
