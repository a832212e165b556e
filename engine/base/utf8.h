#ifndef PURSER_ENGINE_BASE_UTF8_H_
#define PURSER_ENGINE_BASE_UTF8_H_

#include <cstddef>
#include <string_view>

namespace purser {

// A character of a text that may hold any bytes.
struct Character {
  size_t bytes = 0;  // 0: here is no well-formed UTF-8 (Unicode 15, table 3-7).
  char32_t point = 0;
};

// The one that begins at text[at]; `at` is below the text's length.
Character CharacterAt(std::string_view text, size_t at);

}  // namespace purser

#endif  // PURSER_ENGINE_BASE_UTF8_H_
