#ifndef PURSER_ENGINE_ROUTING_EXPLAIN_H_
#define PURSER_ENGINE_ROUTING_EXPLAIN_H_

#include <purser/request.h>

#include <string>
#include <vector>

#include "engine/routing/choice.h"
#include "engine/routing/program.h"

namespace purser::routing {

// Everything that led to a verdict, in words. Made off the hot path, by reading the request once more.
struct Explanation {
  struct Span {
    std::string pattern;  // As written in the policy.
    std::string part;     // "last user turn", "message 2"
    size_t offset = 0;    // In that part, in bytes.
    std::string text;     // What matched.
  };
  struct SignalLine {
    std::string name;
    std::string value;  // "3", "\"enterprise\"", "0.25"
    std::vector<Span> spans;
    std::string note;  // How the value came about, or why there is none. Empty: it was read off the request.
  };
  struct TermLine {
    std::string signal;
    std::string value;
    double weight = 0;
    std::string shape;  // "linear", "log", "present"
    double contribution = 0;
    bool bounded = false;  // `most` cut it.
    bool background = false;
  };
  struct ScoreLine {
    std::string name;
    double base = 0;
    std::vector<TermLine> terms;
    double sum = 0;
    std::string band;  // Empty: in none.
    bool no_signal = false;
  };
  struct RuleLine {
    std::string name;
    std::string place;  // "policy.textproto:41"
    int priority = 0;
    bool tried = false;
    bool holds = false;
    bool stepped_aside = false;
    std::string condition;  // Each test with the value that it met.
    std::string effect;     // "min_quality 70"
  };
  struct CandidateLine {
    std::string name;
    int rank = 0;        // From 1; 0: out.
    std::string reason;  // Why it is out: "lacks vision", "rule \"legal\" (policy.textproto:41): ..."
  };
  std::vector<SignalLine> signals;
  std::vector<ScoreLine> scores;
  std::vector<RuleLine> rules;
  std::vector<CandidateLine> candidates;
  std::string request_class;
  bool quality_dropped = false;  // No candidate met the rules' quality bounds, and if_none dropped them.
  std::string refusal;

  // For people.
  std::string ToString() const;
};

// `choice` may be null: candidates are then not ranked.
Explanation Explain(const Program& program, const Request& request, const Context& context,
                    const Features& features, const Verdict& verdict, const Choice* choice);

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_EXPLAIN_H_
