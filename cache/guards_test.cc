#include <gtest/gtest.h>
#include <purser/cache/cache.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/lexical_embedder.h"

namespace purser::cache {
namespace {

using Pair = std::pair<std::string, std::string>;

// Whether a cache that holds the first text answers the second from it, and what vetoed it if not. The
// threshold is so low that only guards can keep near texts apart.
Hit Ask(const Pair& pair, bool guards, float threshold = 0.5F) {
  static const auto embedder = std::make_shared<LexicalEmbedder>();
  Options options;
  options.guards = guards;
  options.embedder = embedder;
  options.classes[0].threshold = threshold;
  Cache cache(options);
  const std::string_view first[] = {pair.first};
  Entry entry;
  entry.query.key = first;
  entry.query.text = pair.first;
  entry.answer = "x";
  cache.Store(entry, 0);
  const std::string_view second[] = {pair.second};
  Query query;
  query.key = second;
  query.text = pair.second;
  std::string answer;
  return cache.Lookup(query, 0, &answer);
}

// Every two of the values, put in the place of {}.
void Fill(const std::string& sentence, const std::vector<std::string>& values, std::vector<Pair>* pairs) {
  const auto with = [&sentence](const std::string& value) {
    std::string text = sentence;
    return text.replace(text.find("{}"), 2, value);
  };
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t j = i + 1; j < values.size(); ++j) pairs->emplace_back(with(values[i]), with(values[j]));
  }
}

std::vector<Pair> Different() {
  std::vector<Pair> pairs = {
      {"Is aspirin safe for children?", "Is aspirin not safe for children?"},
      {"Why was my card charged?", "Why was my card never charged?"},
      {"Can I travel with a visa?", "Can I travel without a visa?"},
      {"I want to cancel my order", "I don't want to cancel my order"},
      {"Which plans include support?", "Which plans don't include support?"},
      {"The payment went through", "The payment did not go through"},
      {"List users who have logged in", "List users who have never logged in"},
      {"Can I get a refund?", "Why can't I get a refund?"},
      {"My parcel has arrived", "My parcel hasn't arrived"},
      {"Show orders with a discount", "Show orders with no discount"},
      {"Ist das Konto gesperrt?", "Ist das Konto nicht gesperrt?"},
      {"How do I enable two-factor login?", "How do I disable two-factor login?"},
      {"How do I turn notifications on?", "How do I turn notifications off?"},
      {"How can I increase my limit?", "How can I decrease my limit?"},
      {"How do I add a user to the team?", "How do I remove a user from the team?"},
      {"Lock my account", "Unlock my account"},
      {"Can I upload a photo?", "Can I download a photo?"},
      {"What is the minimum balance?", "What is the maximum balance?"},
      {"What is the highest rate?", "What is the lowest rate?"},
      {"When does the shop open?", "When does the shop close?"},
      {"Should I buy the stock?", "Should I sell the stock?"},
      {"How do I encrypt the disk?", "How do I decrypt the disk?"},
      {"Subscribe me to the newsletter", "Unsubscribe me from the newsletter"},
      {"Freeze my card", "Unfreeze my card"},
      {"Sort the list in ascending order", "Sort the list in descending order"},
      {"Allow pop-ups on this page", "Block pop-ups on this page"},
      {"Can I withdraw money at the counter?", "Can I deposit money at the counter?"},
      {"Show files changed before the release", "Show files changed after the release"},
      {"Is the repository public?", "Is the repository private?"},
      {"Import my contacts", "Export my contacts"},
      {"Accept the invitation", "Reject the invitation"},
      {"What is the cheapest plan?", "What is the most expensive plan?"},
      {"Start the server", "Stop the server"},
      {"Does Ann owe money to Bob?", "Does Bob owe money to Ann?"},
      {"Did Maria call Tom?", "Did Tom call Maria?"},
      {"Flights from Paris to Rome", "Flights from Rome to Paris"},
      {"Is Mars larger than Venus?", "Is Venus larger than Mars?"},
      {"Convert miles to kilometers", "Convert kilometers to miles"},
      {"Change euros into dollars", "Change dollars into euros"},
      {"Translate this from English to German", "Translate this from German to English"},
      {"How do I reset my password?", "Comment puis je changer mon mot de passe pour le site?"},
      {"What is the weather like in this town?", "Wie ist das Wetter in der Stadt?"},
      {"Where is my order and when does it come?", "\xD0\x93\xD0\xB4\xD0\xB5 \xD0\xBC\xD0\xBE\xD0\xB9"},
      {"convert 5 miles to km", "convert 50 miles to km"},
      {"what was the first step", "what was the second step"},
      {"pay it once a month", "pay it twice a month"},
      {"is version 2.1 supported", "is version 2.2 supported"},
      {"what happened in World War I", "what happened in World War II"},
      {"what is a third of the cake", "what is half of the cake"},
      {"double the order", "triple the order"},
      {"a dozen eggs please", "two dozen eggs please"},
      {"how many people live in a million cities", "how many people live in a billion cities"},
      {"increase by 5%", "increase by 15%"},
      {"is it five past ten", "is it five to ten"},
      {"I am able to log in", "I am unable to log in"},
      {"it no longer works", "it works"},
      {"my card works", "my card no longer works"},
      {"the payment succeeded", "the payment failed"},
      {"is it legal to park here", "is it illegal to park here"},
      {"is this possible in the app", "is this impossible in the app"},
      {"users with admin rights", "users lacking admin rights"},
      {"files that include tests", "files that exclude tests"},
      {"is aspirin safe during pregnancy", "is aspirin unsafe during pregnancy"},
      {"she agreed with the terms", "she disagreed with the terms"},
      {"I like the new design", "I dislike the new design"},
      {"did alice call bob", "did bob call alice"},
      {"does alice owe money to bob", "does bob owe money to alice"},
      {"transfer from savings to checking", "transfer from checking to savings"},
      {"is gold heavier than silver", "is silver heavier than gold"},
      {"did the dog bite the man", "did the man bite the dog"},
      {"is python faster than java", "is java faster than python"},
      {"Does Germany border France", "Does France border Spain"},
      {"flights from Berlin to Munich", "flights from Munich to Berlin"},
      {"who won, Chelsea or Arsenal", "who won, Chelsea or Liverpool"},
      {"what did John Smith say", "what did John Miller say"},
      {"set it to 20 celsius", "set it to 20 fahrenheit"},
      {"how many grams in a cup", "how many ounces in a cup"},
      {"the file is 5 MB large", "the file is 5 GB large"},
      {"a delay of 5 seconds", "a delay of 5 minutes"},
      {"a delay of 5 ms", "a delay of 5 s"},
      {"10 liters of water", "10 gallons of water"},
      {"the price in dollars", "the price in euros"},
      {"weather today", "weather tomorrow"},
      {"what happened yesterday", "what happened today"},
      {"sales last week", "sales this week"},
      {"sales last month", "sales next month"},
      {"sales in Q1", "sales in Q2"},
      {"sales in 2023", "sales in 2024"},
      {"meet in the morning", "meet in the evening"},
      {"is it open in summer", "is it open in winter"},
      {"open on weekdays", "open on weekends"},
      {"my birthday is 3 May", "my birthday is 3 June"},
      {"holidays in January", "holidays in February"},
      {"on 01/02/2024 at noon", "on 02/01/2024 at noon"},
      {"at noon", "at midnight"},
      {"what is bonjour in spanish", "what is bonjour in german"},
      {"translate hello to french", "translate hello to italian"},
      {"How do I pay?", "Wie bezahle ich?"},
      {"Where is the station?", "D\xC3\xB3nde est\xC3\xA1 la estaci\xC3\xB3n?"},
      {"where is my card", "o\xC3\xB9 est ma carte"},
      {"what is the time",
       "\xD1\x87\xD1\x82\xD0\xBE \xD1\x82\xD0\xB0\xD0\xBA\xD0\xBE\xD0\xB5 "
       "\xD0\xB2\xD1\x80\xD0\xB5\xD0\xBC\xD1\x8F"},
      {"write it in c++", "write it in c"},
      {"write it in javascript", "write it in typescript"},
      {"parents of Anna", "children of Anna"},
      {"show the oldest order", "show the newest order"},
      {"what is the left lane for", "what is the right lane for"},
      {"open the north gate", "open the south gate"},
      {"who is the husband of Mary", "who is the wife of Mary"},
      {"hot water temperature", "cold water temperature"},
      {"is he alive", "is he dead"},
      {"sell my shares", "buy my shares"},
      {"mute the channel", "unmute the channel"},
      {"what are the pros of remote work", "what are the cons of remote work"},
      {"advantages of solar", "disadvantages of solar"},
      {"what causes inflation", "what prevents inflation"},
      {"install the app", "uninstall the app"},
      {"log in to the site", "log out of the site"},
      {"sign up for the plan", "sign out of the plan"},
      {"send money", "receive money"},
      {"credit card limits", "debit card limits"},
      {"check in time", "check out time"},
      {"connect the printer", "disconnect the printer"},
      {"approve the request", "deny the request"},
      {"show me the front", "show me the back"},
      {"is the door locked", "is the door unlocked"},
      {"upgrade my plan", "downgrade my plan"},
      {"what's the tax for single filers", "what's the tax for married filers"},
      {"positive effects", "negative effects"},
      {"is tea good for you", "is tea bad for you"},
      {"delete all my messages", "delete none of my messages"},
      {"everyone can see it", "nobody can see it"},
      {"always notify me", "never notify me"},
      {"Should I take it with food?", "Should I take it without food?"},
      {"show flights above 300", "show flights below 300"},
      {"at least 5 items", "at most 5 items"},
      {"more than 10 users", "fewer than 10 users"},
  };
  for (const char* sentence : {"Transfer {} dollars to my savings account", "What is {} times the amount?",
                               "Give me the top {} results", "Book a table for {} people please"}) {
    Fill(sentence, {"2", "3", "10", "12", "two hundred"}, &pairs);
  }
  Fill("The invoice shows {} instead of the agreed price", {"$20", "$200", "20%", "1,020.50", "20k"}, &pairs);
  for (const char* sentence :
       {"What happened in the market on {}?", "Is the office open on {}?", "Move my appointment to {}"}) {
    Fill(sentence, {"Monday", "Friday", "2024-05-01", "March 3", "tomorrow"}, &pairs);
  }
  for (const char* sentence : {"How long is the bridge in {}?", "What does it weigh in {} exactly?"}) {
    Fill(sentence, {"km", "miles", "feet", "kg", "pounds"}, &pairs);
  }
  for (const char* sentence : {"What is the capital of {}?", "Who is the manager of {} at present?",
                               "Is the service available in {} yet?"}) {
    Fill(sentence, {"France", "Spain", "Norway", "Peru", "Kenya"}, &pairs);
  }
  for (const char* sentence :
       {"Write a function that sorts a list in {}", "Translate the sentence into {}"}) {
    Fill(sentence, {"Python", "Rust", "French", "Japanese", "SQL"}, &pairs);
  }
  Fill("What does the error \"{}\" mean?", {"disk full", "no route", "timed out", "access denied"}, &pairs);
  Fill("What does the function {} return?", {"read_all()", "std::move", "getName", "os.path", "`f`"}, &pairs);
  return pairs;
}

std::vector<Pair> Same() {
  std::vector<Pair> pairs = {
      {"My card was stolen yesterday", "Yesterday my card was stolen"},
      {"Please reset my password", "Reset my password please"},
      {"is it broken", "it is broken, right"},
      {"What's the capital of France?", "what is the capital of france"},
      {"Send 20 dollars to Bob", "Send $20 to Bob"},
      {"I need to transfer two hundred euros", "I need to transfer 200 euros"},
      {"how can I activate my card", "How do I activate my card?"},
      {"can you help me reset my pin", "I want to reset my PIN"},
      {"What is Your Refund Policy", "what is your refund policy"},
      {"Tell me about the refund policy", "What's your refund policy?"},
      {"Where's my order?", "where is my order"},
      {"My card hasn't arrived yet", "my card has not arrived yet"},
      {"I can't log in", "I cannot log in"},
      {"I'm unable to log in", "I can't log in"},
      {"The payment isn't showing", "the payment is not showing up"},
      {"why do I still not have my card", "why haven't I received my card"},
      {"Do you ship to Germany?", "do you ship to germany"},
      {"Is there a fee for topping up?", "Is there any fee for top ups?"},
      {"hi, how do I close my account?", "How do I close my account"},
      {"Could you tell me the exchange rate?", "what is the exchange rate"},
      {"Meet on March 3", "Meet on 3 March"},
      {"at 5pm on Friday", "on Friday at 5 pm"},
      {"5 kilometers in miles", "5 km in miles"},
      {"How do I list files in Python?", "In Python, how do I list files?"},
  };
  for (const char* topic : {"reset my password",
                            "change the delivery address",
                            "cancel my subscription",
                            "activate my new card",
                            "get a refund for my order",
                            "track the parcel",
                            "update my phone number",
                            "close my account",
                            "pay with 2 cards",
                            "order 3 more copies",
                            "transfer 50 dollars abroad",
                            "see my invoice of March",
                            "contact the support team",
                            "find an ATM in Berlin",
                            "invite Anna to the project",
                            "download the report as CSV",
                            "fix the error \"disk full\"",
                            "call read_all() from Python",
                            "book a room for Friday",
                            "verify my identity"}) {
    const std::string t = topic;
    const std::string frames[] = {"How do I " + t + "?", "How can I " + t + "?", "how to " + t,
                                  "Please tell me how to " + t, "I would like to know how I " + t};
    for (size_t i = 0; i < std::size(frames); ++i) {
      for (size_t j = i + 1; j < std::size(frames); ++j) pairs.emplace_back(frames[i], frames[j]);
    }
  }
  return pairs;
}

TEST(GuardsTest, DifferentRequestsDoNotHitEachOther) {
  const std::vector<Pair> pairs = Different();
  ASSERT_GE(pairs.size(), 200U);
  int unguarded = 0;
  int hits = 0;
  for (const Pair& pair : pairs) {
    for (const Pair& order : {pair, Pair{pair.second, pair.first}}) {
      unguarded += Ask(order, /*guards=*/false).kind != Hit::kNone;
      if (Ask(order, /*guards=*/true).kind != Hit::kNone) {
        ++hits;
        std::printf("not told apart: %s | %s\n", order.first.c_str(), order.second.c_str());
      }
    }
  }
  const auto asked = static_cast<double>(2 * pairs.size());
  std::printf("%zu different pairs, both ways: %.1f %% hit without guards, %.1f %% with\n", pairs.size(),
              100.0 * unguarded / asked, 100.0 * hits / asked);
  EXPECT_GT(unguarded, asked * 0.8);
  EXPECT_EQ(hits, 0);
}

TEST(GuardsTest, WordingsOfOneRequestStillHit) {
  const std::vector<Pair> pairs = Same();
  ASSERT_GE(pairs.size(), 200U);
  int hits = 0;
  int vetoed = 0;
  for (const Pair& pair : pairs) {
    const Hit hit = Ask(pair, /*guards=*/true);
    hits += hit.kind != Hit::kNone;
    if (hit.veto != Veto::kNone) {
      ++vetoed;
      std::printf("vetoed (%s): %s | %s\n", std::string(VetoName(hit.veto)).c_str(), pair.first.c_str(),
                  pair.second.c_str());
    }
  }
  std::printf("%zu pairs of one meaning: %.1f %% hit, %.1f %% vetoed\n", pairs.size(),
              100.0 * hits / static_cast<double>(pairs.size()),
              100.0 * vetoed / static_cast<double>(pairs.size()));
  EXPECT_EQ(vetoed, 0);
  EXPECT_GE(hits, static_cast<int>(pairs.size() * 9 / 10));
}

TEST(GuardsTest, TheFindingIsNamedAndCounted) {
  const struct {
    Pair pair;
    Veto veto;
  } cases[] = {
      {{"send 20 dollars", "send 30 dollars"}, Veto::kNumber},
      {{"send $20 now", "send 20 dollars now"}, Veto::kNone},
      {{"send 1,000 now please", "send 1000.00 now please"}, Veto::kNone},
      {{"wait two hours here", "wait 2 hours here"}, Veto::kNone},
      {{"meet on Monday", "meet on Tuesday"}, Veto::kDate},
      {{"meet at 5pm there", "meet at 6pm there"}, Veto::kDate},
      {{"length in miles", "length in km"}, Veto::kUnit},
      {{"it is broken", "it is not broken"}, Veto::kNegation},
      {{"turn it on now", "turn it off now"}, Veto::kOpposite},
      {{"weather in Paris today", "weather in London today"}, Veto::kName},
      {{"say \"yes\" to them", "say \"later\" to them"}, Veto::kQuote},
      {{"call foo_bar here", "call foo_baz here"}, Veto::kCode},
      {{"sort it in Java please", "sort it in Rust please"}, Veto::kLanguage},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(Ask(test.pair, true, 0.2F).veto, test.veto) << test.pair.first << " | " << test.pair.second;
  }
}

TEST(GuardsTest, AnyBytesCanBeRead) {
  for (const std::string& text :
       {std::string("\0'\"`", 4), std::string(5000, '\''), std::string(5000, '9'),
        std::string("\xFF\xE3\x81"), std::string("1,"), std::string("--"), std::string("$"),
        std::string("'a"), std::string("a.b.c::"), std::string("\xC2")}) {
    Ask({text, text + "x"}, true, 0.01F);
    Ask({"x" + text, text}, true, 0.01F);
  }
}

}  // namespace
}  // namespace purser::cache
