#include "cache/guard_words.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace purser::cache {
namespace {

// One line per meaning; the words of a line mean the same.
constexpr const char* kDates[] = {"january jan januar janvier enero gennaio",
                                  "february feb februar fevrier febrero febbraio",
                                  "march marz marzo",
                                  "april apr avril abril aprile",
                                  "june jun juni juin junio giugno",
                                  "july jul juli juillet julio luglio",
                                  "august aug aout agosto",
                                  "september sep sept septembre septiembre",
                                  "october oct oktober octobre octubre ottobre",
                                  "november nov novembre noviembre",
                                  "december dec dezember decembre diciembre dicembre",
                                  "monday mon montag lundi lunes",
                                  "tuesday tue dienstag mardi martes",
                                  "wednesday wed mittwoch mercredi miercoles",
                                  "thursday thu donnerstag jeudi jueves",
                                  "friday fri freitag vendredi viernes",
                                  "saturday sat samstag samedi sabado",
                                  "sunday sonntag dimanche domingo",
                                  "today heute hoy tonight",
                                  "tomorrow morgen demain manana",
                                  "yesterday gestern hier ayer",
                                  "weekend weekends",
                                  "weekday weekdays",
                                  "daily",
                                  "weekly",
                                  "monthly",
                                  "yearly annual annually",
                                  "quarterly",
                                  "hourly",
                                  "christmas xmas",
                                  "easter",
                                  "spring",
                                  "summer",
                                  "autumn",
                                  "winter",
                                  "q1",
                                  "q2",
                                  "q3",
                                  "q4",
                                  "noon midday",
                                  "midnight"};

constexpr const char* kUnits[] = {"km kilometer kilometers kilometre kilometres kms",
                                  "mile miles mi",
                                  "meter meters metre metres",
                                  "cm centimeter centimeters centimetre centimetres",
                                  "mm millimeter millimeters millimetre",
                                  "inch inches",
                                  "foot feet ft",
                                  "yard yards yd",
                                  "kg kilo kilos kilogram kilograms",
                                  "gram grams",
                                  "lb lbs pounds",
                                  "ounce ounces oz",
                                  "ton tons tonne tonnes",
                                  "liter liters litre litres",
                                  "gallon gallons",
                                  "ml milliliter milliliters",
                                  "celsius centigrade",
                                  "fahrenheit",
                                  "kelvin",
                                  "ms millisecond milliseconds",
                                  "sec secs seconds",
                                  "minute minutes mins",
                                  "hour hours hrs",
                                  "day days",
                                  "week weeks",
                                  "month months",
                                  "year years yrs",
                                  "decade decades",
                                  "kb kilobyte kilobytes",
                                  "mb megabyte megabytes",
                                  "gb gigabyte gigabytes",
                                  "tb terabyte terabytes",
                                  "percent percentage",
                                  "kph kmh",
                                  "mph",
                                  "watt watts",
                                  "kilowatt kilowatts kw",
                                  "volt volts",
                                  "amp amps",
                                  "joule joules",
                                  "calorie calories kcal",
                                  "acre acres",
                                  "hectare hectares",
                                  "dollar dollars usd bucks",
                                  "euro euros eur",
                                  "pound gbp sterling quid",
                                  "yen jpy",
                                  "yuan cny rmb",
                                  "rupee rupees inr",
                                  "franc francs chf",
                                  "ruble rubles rub",
                                  "bitcoin bitcoins btc",
                                  "ether ethereum eth",
                                  "cent cents",
                                  "aud",
                                  "cad",
                                  "cup cups",
                                  "tablespoon tablespoons tbsp",
                                  "teaspoon teaspoons tsp",
                                  "degree degrees",
                                  "byte bytes",
                                  "bit bits",
                                  "token tokens"};

constexpr const char* kNegations[] = {
    "not no never none nothing nobody nowhere neither nor without cannot unable lack lacks lacking except "
    "cant dont doesnt didnt isnt arent wasnt werent wont wouldnt shouldnt couldnt hasnt havent hadnt aint "
    "nicht kein keine keinen nie niemals ohne pas jamais sans aucun sin nunca ningun nessuno senza mai"};

// One side, then "|", then the other. Inflected forms of the first word of a side are added.
constexpr const char* kOpposites[] = {"enable|disable",
                                      "activate|deactivate",
                                      "on|off",
                                      "open|close",
                                      "increase|decrease",
                                      "raise|lower",
                                      "add|remove",
                                      "allow|block",
                                      "permit|forbid",
                                      "accept|reject",
                                      "approve|deny",
                                      "start|stop",
                                      "begin|end",
                                      "before|after",
                                      "more|less fewer",
                                      "most|least fewest",
                                      "min minimum|max maximum",
                                      "highest|lowest",
                                      "buy|sell",
                                      "deposit|withdraw",
                                      "send|receive",
                                      "import|export",
                                      "upload|download",
                                      "install|uninstall",
                                      "lock|unlock",
                                      "freeze|unfreeze",
                                      "mute|unmute",
                                      "follow|unfollow",
                                      "subscribe|unsubscribe",
                                      "connect|disconnect",
                                      "encrypt|decrypt",
                                      "encode|decode",
                                      "include|exclude",
                                      "above|below",
                                      "over|under",
                                      "up|down",
                                      "north|south",
                                      "east|west",
                                      "hot|cold",
                                      "win|lose",
                                      "love|hate",
                                      "cheap cheaper cheapest|expensive costliest",
                                      "ascending asc|descending desc",
                                      "public|private",
                                      "internal|external",
                                      "first|last second",
                                      "old oldest|new newest",
                                      "push|pull",
                                      "read|write",
                                      "show|hide",
                                      "grant|revoke",
                                      "arrive arrival|depart departure",
                                      "login|logout",
                                      "true|false",
                                      "positive|negative",
                                      "male|female",
                                      "husband|wife",
                                      "morning|evening",
                                      "adult|child",
                                      "inbound|outbound",
                                      "credit|debit",
                                      "profit|loss",
                                      "buyer|seller",
                                      "best|worst",
                                      "good|bad",
                                      "fast faster fastest|slow slower slowest",
                                      "big bigger biggest large larger largest|small smaller smallest",
                                      "long longer longest|short shorter shortest",
                                      "early earlier earliest|late later latest",
                                      "horizontal|vertical",
                                      "compress|decompress",
                                      "merge|split",
                                      "attach|detach",
                                      "pause|resume",
                                      "hire|fire",
                                      "borrow|lend",
                                      "join|leave",
                                      "inside|outside",
                                      "front|back",
                                      "odd|even",
                                      "legal|illegal",
                                      "safe|unsafe dangerous",
                                      "valid|invalid",
                                      "optional|required mandatory",
                                      "sync|async",
                                      "online|offline",
                                      "horizontally|vertically",
                                      "left|right",
                                      "gain|lose",
                                      "rise|fall",
                                      "hard difficult|easy",
                                      "wet|dry",
                                      "pros advantages benefits|cons disadvantages drawbacks",
                                      "input|output",
                                      "request|response",
                                      "client|server",
                                      "multiply|divide",
                                      "plus|minus",
                                      "sum|difference",
                                      "always|never",
                                      "with|without",
                                      "parent|children",
                                      "employer|employee",
                                      "teacher|student",
                                      "day|night",
                                      "full|empty",
                                      "heavy|light",
                                      "deep|shallow",
                                      "widest wide|narrowest narrow",
                                      "young younger youngest|elder eldest",
                                      "domestic|international",
                                      "incoming|outgoing",
                                      "ingoing|leaving",
                                      "create|delete",
                                      "save|discard",
                                      "expand|collapse",
                                      "opt-in|opt-out",
                                      "whitelist|blacklist",
                                      "promote|demote",
                                      "strict|lenient",
                                      "upgrade|downgrade",
                                      "succeed success|fail failure",
                                      "alive|dead",
                                      "single|married",
                                      "cause|prevent",
                                      "possible|impossible",
                                      "correct|incorrect",
                                      "complete|incomplete",
                                      "visible|invisible",
                                      "active|inactive",
                                      "direct|indirect",
                                      "formal|informal",
                                      "secure|insecure",
                                      "regular|irregular",
                                      "reversible|irreversible",
                                      "manual manually|automatic automatically",
                                      "temporary temporarily|permanent permanently",
                                      "personal|business",
                                      "physical|virtual",
                                      "refundable|nonrefundable"};

constexpr const char* kLanguages[] = {"english",
                                      "german deutsch",
                                      "french francais",
                                      "spanish espanol",
                                      "italian",
                                      "portuguese",
                                      "dutch",
                                      "russian",
                                      "chinese mandarin",
                                      "japanese",
                                      "korean",
                                      "arabic",
                                      "hindi",
                                      "turkish",
                                      "polish",
                                      "swedish",
                                      "norwegian",
                                      "danish",
                                      "finnish",
                                      "greek",
                                      "hebrew",
                                      "czech",
                                      "hungarian",
                                      "ukrainian",
                                      "vietnamese",
                                      "thai",
                                      "latin",
                                      "python",
                                      "java",
                                      "javascript js",
                                      "typescript ts",
                                      "rust",
                                      "golang",
                                      "ruby",
                                      "php",
                                      "kotlin",
                                      "swift",
                                      "scala",
                                      "haskell",
                                      "perl",
                                      "sql",
                                      "bash",
                                      "powershell",
                                      "c++ cpp",
                                      "c#",
                                      "fortran",
                                      "matlab",
                                      "lua",
                                      "html",
                                      "css",
                                      "json",
                                      "yaml",
                                      "xml",
                                      "csv",
                                      "react",
                                      "angular",
                                      "vue",
                                      "django",
                                      "flask",
                                      "linux",
                                      "windows",
                                      "macos mac",
                                      "android",
                                      "ios",
                                      "ubuntu",
                                      "debian",
                                      "mysql",
                                      "postgres postgresql",
                                      "sqlite",
                                      "mongodb",
                                      "redis",
                                      "docker",
                                      "kubernetes",
                                      "aws",
                                      "azure",
                                      "gcp"};

// In the order of Veto kLanguage's numbers: English, German, French, Spanish, Italian, Portuguese, Dutch.
constexpr const char* kCommonWords[kCommonLanguages] = {
    "the is are my what how do does can you why when where this that with for of and it have which who "
    "should "
    "your would could please there",
    "der die das ist sind mein meine wie was wo wann warum kann ich und nicht mit ein eine fur von zu mir "
    "bitte "
    "wird haben sie welche wer auf",
    "le la les est sont o\xC3\xB9 mon ma mes comment quoi quel quelle ou quand pourquoi puis je et pas avec "
    "un une "
    "pour de "
    "des du votre vous qui que dans",
    "el los las es son est\xC3\xA1 d\xC3\xB3nde qu\xC3\xA9 c\xC3\xB3mo cu\xC3\xA1l mi mis como que cual "
    "donde cuando por puedo yo y con un una para del su usted quien "
    "esta "
    "hay mas",
    "il lo gli sono mio mia come che quale dove quando perche posso io e non con uno una per della del di "
    "chi "
    "questo sono",
    "o os as sao meu minha como que qual onde quando porque posso eu e nao com um uma para do da voce quem "
    "isso",
    "de het is zijn mijn hoe wat waar wanneer waarom kan ik en niet met een voor van u wie welke deze naar"};

// Halves, which are no whole number, have one that no text is about.
constexpr std::pair<const char*, uint32_t> kNumberWords[] = {{"two", 2},
                                                             {"three", 3},
                                                             {"four", 4},
                                                             {"five", 5},
                                                             {"six", 6},
                                                             {"seven", 7},
                                                             {"eight", 8},
                                                             {"nine", 9},
                                                             {"ten", 10},
                                                             {"eleven", 11},
                                                             {"twelve", 12},
                                                             {"thirteen", 13},
                                                             {"fourteen", 14},
                                                             {"fifteen", 15},
                                                             {"sixteen", 16},
                                                             {"seventeen", 17},
                                                             {"eighteen", 18},
                                                             {"nineteen", 19},
                                                             {"twenty", 20},
                                                             {"thirty", 30},
                                                             {"forty", 40},
                                                             {"fifty", 50},
                                                             {"sixty", 60},
                                                             {"seventy", 70},
                                                             {"eighty", 80},
                                                             {"ninety", 90},
                                                             {"hundred", 100},
                                                             {"thousand", 1000},
                                                             {"dozen", 12},
                                                             {"twice", 2},
                                                             {"double", 2},
                                                             {"triple", 3},
                                                             {"half", 4'000'000'000},
                                                             {"third", 3},
                                                             {"fourth", 4},
                                                             {"fifth", 5},
                                                             {"sixth", 6},
                                                             {"tenth", 10},
                                                             {"million", 1'000'000},
                                                             {"billion", 1'000'000'000}};

using Words = absl::flat_hash_map<std::string, WordClass>;

std::vector<std::string> Split(const char* line, char at) {
  return absl::StrSplit(line, at, absl::SkipEmpty());
}

bool IsVowel(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// What a verb or noun looks like in a sentence.
std::vector<std::string> Inflected(const std::string& word) {
  std::vector<std::string> forms = {word};
  if (word.size() < 3) return forms;
  const bool silent_e = word.back() == 'e';
  const std::string stem = silent_e ? word.substr(0, word.size() - 1) : word;
  forms.push_back(word + "s");
  forms.push_back(word + "es");
  forms.push_back(stem + "ed");
  forms.push_back(stem + "ing");
  forms.push_back(stem + "er");
  const size_t n = word.size();
  if (!silent_e && !IsVowel(word[n - 1]) && IsVowel(word[n - 2]) && !IsVowel(word[n - 3])) {
    forms.push_back(word + word.back() + "ed");
    forms.push_back(word + word.back() + "ing");
  }
  return forms;
}

template <size_t N>
void AddLines(const char* const (&lines)[N], WordClass::Kind kind, Words* words) {
  for (uint16_t i = 0; i < N; ++i) {
    for (const std::string& word : Split(lines[i], ' ')) words->insert({word, {kind, i}});
  }
}

Words MakeWords() {
  Words words;
  AddLines(kNegations, WordClass::kNegation, &words);
  AddLines(kDates, WordClass::kDate, &words);
  AddLines(kUnits, WordClass::kUnit, &words);
  AddLines(kLanguages, WordClass::kLanguage, &words);
  for (const auto& [word, value] : kNumberWords) words.insert({word, {WordClass::kNumber, value}});
  uint16_t pair = 0;
  static_assert(std::size(kOpposites) <= kMaxOpposites);
  for (const char* line : kOpposites) {
    const std::vector<std::string> sides = Split(line, '|');
    for (uint16_t side = 0; side < 2; ++side) {
      const std::vector<std::string> same = Split(sides[side].c_str(), ' ');
      const auto value = static_cast<uint16_t>(2 * pair + side);
      for (const std::string& form : Inflected(same[0])) words.insert({form, {WordClass::kOpposite, value}});
      for (const std::string& word : same) words.insert({word, {WordClass::kOpposite, value}});
    }
    ++pair;
  }
  return words;
}

}  // namespace

WordClass ClassOfWord(std::string_view word) {
  static const auto* const kWords = new Words(MakeWords());
  const auto found = kWords->find(absl::string_view(word.data(), word.size()));
  return found == kWords->end() ? WordClass{} : found->second;
}

bool IsParticleVerb(std::string_view word) {
  static constexpr std::string_view kVerbs[] = {
      "log",     "logged",   "logging", "sign",   "signed", "signing", "check",
      "checked", "checking", "opt",     "opted",  "opting", "clock",   "clocked",
      "zoom",    "zooming",  "phase",   "phased", "move",   "moved",   "moving"};
  return std::find(std::begin(kVerbs), std::end(kVerbs), word) != std::end(kVerbs);
}

int RelativeTime(std::string_view word) {
  if (word == "this" || word == "current") return 1;
  if (word == "last" || word == "previous" || word == "past") return 2;
  if (word == "next" || word == "coming") return 3;
  return 0;
}

uint32_t CommonWordOf(std::string_view word) {
  static const auto* const kWords = [] {
    auto* words = new absl::flat_hash_map<std::string, uint32_t>;
    for (int i = 0; i < kCommonLanguages; ++i) {
      for (const std::string& common : Split(kCommonWords[i], ' ')) (*words)[common] |= 1U << i;
    }
    return words;
  }();
  const auto found = kWords->find(absl::string_view(word.data(), word.size()));
  return found == kWords->end() ? 0 : found->second;
}

}  // namespace purser::cache
