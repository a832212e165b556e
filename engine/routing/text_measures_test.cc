#include "engine/routing/text_measures.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace purser::routing {
namespace {

TextMeasures Of(std::string_view text) {
  TextMeasures measures;
  Measure(text, &measures);
  return measures;
}

TEST(TextMeasuresTest, CountsWhatAReaderWouldCount) {
  struct Case {
    std::string text;
    int32_t TextMeasures::*measure;
    int32_t count;
  };
  const Case cases[] = {
      {"Hello, it's me.", &TextMeasures::words, 3},
      {"one two  three", &TextMeasures::words, 3},
      {"1,250.50 and 3", &TextMeasures::numbers, 2},
      {"1,250.50 and 3", &TextMeasures::digits, 7},
      {"What? Why?", &TextMeasures::question_marks, 2},
      {"First. Second! Third", &TextMeasures::sentences, 2},
      {"- a\n- b\n* c\n1. d\n2) e\nA. f\nno", &TextMeasures::list_items, 6},
      {"• a\n• b", &TextMeasures::list_items, 2},
      {"-5 is not an item", &TextMeasures::list_items, 0},
      {"You must not exceed it, only within the limit", &TextMeasures::constraints, 4},
      {"MUST", &TextMeasures::constraints, 1},
      {"mustard", &TextMeasures::constraints, 0},
      {"not one, never", &TextMeasures::negations, 2},
      {"twice as many, half of the rest", &TextMeasures::quantities, 3},
      {"if so, then suppose", &TextMeasures::conditions, 3},
      {"a, b, c", &TextMeasures::commas, 2},
      {"x^2 + 3x = 7", &TextMeasures::math_marks, 4},
      {"\\frac{a}{b}", &TextMeasures::math_marks, 1},
      {"∫ f ≤ π", &TextMeasures::math_marks, 3},
      {"a≤b", &TextMeasures::math_marks, 1},
      {"a≤b", &TextMeasures::words, 2},
      {"foo_bar(); camelCase\n", &TextMeasures::code_marks, 4},
      {"```\ncode\n```", &TextMeasures::code_marks, 2},
      {"if (a == b) { x->y(); }", &TextMeasures::code_marks, 6},
      {"Plain prose (with an aside); done.", &TextMeasures::parentheses, 1},
      {"a\nbcd\nef", &TextMeasures::longest_line, 4},
      {"a\n\nb\n", &TextMeasures::lines, 2},
      {"ab", &TextMeasures::longest_line, 2},
      {"Привет, мир", &TextMeasures::non_latin_letters, 9},
      {"naïve", &TextMeasures::non_latin_letters, 0},
      {"", &TextMeasures::words, 0},
  };
  for (const Case& c : cases) EXPECT_EQ(Of(c.text).*c.measure, c.count) << c.text;
}

TEST(TextMeasuresTest, RatiosOfNothingAreZero) {
  EXPECT_EQ(Of("").WordLength(), 0);
  EXPECT_EQ(Of("...").NonLatinShare(), 0);
  EXPECT_DOUBLE_EQ(Of("ab abcd").WordLength(), 3);
  EXPECT_DOUBLE_EQ(Of("да yes!").NonLatinShare(), 0.4);
}

// Any bytes, whole and cut anywhere: no read beyond the end (under asan), and nothing negative.
TEST(TextMeasuresTest, TakesAnyBytes) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (size_t i = random() % 40; i > 0; --i) {
      text += random() % 3 == 0 ? static_cast<char>(random()) : "aZ09 \n.?-_=^`{;('\\|,"[random() % 20];
    }
    const std::string exact(text.begin(), text.end());
    const TextMeasures measures = Of(std::string_view(exact.data(), exact.size()));
    EXPECT_EQ(measures.bytes, static_cast<int32_t>(text.size()));
    EXPECT_LE(measures.words, measures.bytes);
    EXPECT_LE(measures.letters, measures.bytes);
    EXPECT_LE(measures.longest_line, measures.bytes);
  }
}

}  // namespace
}  // namespace purser::routing
