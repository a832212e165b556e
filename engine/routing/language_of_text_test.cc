#include "engine/routing/language_of_text.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace purser::routing {
namespace {

TEST(WritingTest, TellsScriptsAndLanguages) {
  const struct {
    const char* text;
    const char* script;
    const char* language;
  } kCases[] = {
      {"", "", ""},
      {"12 + 30 = ?", "", ""},
      {"How long does it take to boil an egg?", "latin", "en"},
      {"What does NDA stand for?", "latin", "en"},
      {"Wie lange muss ich ein Ei kochen, und was ist mit dem Salz?", "latin", "de"},
      {"Comment est-ce que je fais une omelette pour les enfants ?", "latin", "fr"},
      {"¿Cómo puedo cancelar mi pedido y qué pasa con los gastos?", "latin", "es"},
      {"Come posso annullare il mio ordine e che cosa è una fattura?", "latin", "it"},
      {"Como você faz uma torta que não fica seca para os meninos?", "latin", "pt"},
      {"Hoe lang moet ik een ei koken en wat is het met zout?", "latin", "nl"},
      {"Hur länge ska jag koka ett ägg och vad är det som inte går?", "latin", "sv"},
      {"Jak ugotować jajko i co się dzieje, czy to jest do zjedzenia?", "latin", "pl"},
      {"Bir yumurta nasıl pişirilir ve bu için ne kadar su var?", "latin", "tr"},
      {"Как мне сварить яйцо и что это значит для меня?", "cyrillic", "ru"},
      {"Як мені зварити яйце і що це означає для мене?", "cyrillic", "uk"},
      {"Πόση ώρα βράζει ένα αυγό;", "greek", "el"},
      {"כמה זמן מבשלים ביצה?", "hebrew", "he"},
      {"كم من الوقت أحتاج في هذا وهل هو على ما يرام؟", "arabic", "ar"},
      {"अंडा कैसे उबालें?", "devanagari", ""},
      {"ต้มไข่นานแค่ไหน", "thai", "th"},
      {"계란은 얼마나 삶아야 하나요?", "hangul", "ko"},
      {"卵を茹でる時間は何分ですか", "kana", "ja"},
      {"鸡蛋要煮多长时间", "han", "zh"},
      {"Translate this to English: 鸡蛋要煮多长时间?", "latin", "en"},
      {"Qwertz asdf", "latin", ""},
  };
  for (const auto& [text, script, language] : kCases) {
    EXPECT_EQ(WritingOf(text).script, script) << text;
    EXPECT_EQ(WritingOf(text).language, language) << text;
  }
}

TEST(WritingTest, AnyBytesAreRead) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = static_cast<char>(random());
    WritingOf(text);
  }
  EXPECT_EQ(WritingOf("\xE4").script, "");
  EXPECT_EQ(WritingOf("\xF8\x88\x80\x80").script, "");
  EXPECT_EQ(WritingOf("is the \xFF word").language, "en");
}

TEST(WritingTest, OfALongTextTheBeginningCounts) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "the ";
  for (int i = 0; i < 2000; ++i) text += "der und ";
  EXPECT_EQ(WritingOf(text).language, "en");
}

}  // namespace
}  // namespace purser::routing
