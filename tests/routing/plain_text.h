#ifndef PURSER_TESTS_ROUTING_PLAIN_TEXT_H_
#define PURSER_TESTS_ROUTING_PLAIN_TEXT_H_

#include <string>
#include <vector>

#include "purser/policy.pb.h"
#include "purser/scorer.pb.h"

namespace purser::routing {

// What policies read off texts, with regular expressions and Unicode's own classes where the engine has
// tables and one pass. Shares no code with it.

// What the measure counts in a text that was read in these pieces (TEXT_BYTES: of the pieces).
double PlainMeasure(policy::Measure measure, const std::vector<std::string>& pieces);

// As writing.h says, for texts of the words that random_policies.cc draws: of other words it knows no
// language.
std::string PlainScript(const std::string& text);
std::string PlainLanguage(const std::string& text);

// For scorers without weights of words; their structure features may be those that are a measure or its
// logarithm.
double PlainScorer(const LearnedScorer& scorer, const std::string& prompt);

}  // namespace purser::routing

#endif  // PURSER_TESTS_ROUTING_PLAIN_TEXT_H_
