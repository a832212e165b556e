#ifndef PURSER_TESTS_ROUTING_PLAIN_SIGNALS_H_
#define PURSER_TESTS_ROUTING_PLAIN_SIGNALS_H_

#include <purser/request.h>

#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/routing/features.h"
#include "purser/policy.pb.h"
#include "purser/scorer.pb.h"

namespace purser::routing {

// A recorded request and who answered it well, as a line of an outcomes file has it.
struct PlainOutcome {
  std::vector<float> embedding;
  std::set<std::string> well;
  std::set<std::string> badly;
};

// What every outcomes file and every scorer file of a policy holds.
struct PlainFiles {
  std::vector<PlainOutcome> outcomes;
  LearnedScorer scorer;
};

bool IsTextSignal(const policy::Signal& signal);

// The signals of a policy for one request, each read off it again whenever it is asked for. Shares no code
// with the program.
class PlainSignals {
 public:
  PlainSignals(const policy::Routing& routing, const PlainFiles& files, const Request& request,
               const Context& context)
      : routing_(routing), files_(files), request_(request), context_(context) {}

  std::string Text(const policy::Signal& signal) const;
  double Number(const policy::Signal& signal) const;

 private:
  std::string LastUserTurn() const;
  std::vector<std::string> Texts(policy::TextPart part) const;
  std::vector<std::string> Pieces(policy::TextPart part) const;
  double Occurring(const policy::Patterns& patterns) const;
  double Measured(policy::Measure measure) const;
  double Cosine(std::span<const float> embedding) const;
  double Nearest(const policy::Examples& examples) const;
  double Guarded(const policy::Outcomes& outcomes) const;

  const policy::Routing& routing_;
  const PlainFiles& files_;
  const Request& request_;
  const Context& context_;
};

}  // namespace purser::routing

#endif  // PURSER_TESTS_ROUTING_PLAIN_SIGNALS_H_
