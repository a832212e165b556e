#include "engine/routing/explain.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "engine/routing/compiled_policy.h"
#include "engine/routing/request_text.h"
#include "engine/routing/term.h"

namespace purser::routing {
namespace {

std::string Quoted(std::string_view text) {
  constexpr size_t kMaxShown = 60;
  size_t end = std::min(text.size(), kMaxShown);
  // Not inside a character of UTF-8.
  while (end < text.size() && end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  std::string quoted = "\"";
  for (const char c : text.substr(0, end)) quoted += absl::ascii_iscntrl(c) ? ' ' : c;
  return quoted + (text.size() > end ? "...\"" : "\"");
}

std::string Number(double value) { return absl::StrFormat("%.6g", value); }

// Reads the tables of a program in words.
class Explainer {
 public:
  Explainer(const Program& program, const Request& request, const Context& context, const Features& features,
            const Verdict& verdict)
      : compiled_(program.compiled()),
        request_(request),
        context_(context),
        features_(features),
        verdict_(verdict) {}

  Explanation::SignalLine Signal(int i) const {
    Explanation::SignalLine line;
    line.name = compiled_.policy.signals(i).name();
    line.value = SignalValue(i);
    if (compiled_.signals[i].kind == SignalKind::kPatterns) line.spans = Spans(i);
    if (compiled_.signals[i].kind == SignalKind::kOutcomes)
      line.note = Outcomes(*compiled_.signals[i].outcomes);
    if (compiled_.signals[i].kind == SignalKind::kExamples) line.note = NearestExample(i);
    return line;
  }

  Explanation::ScoreLine Score(int s) const {
    const policy::Score& score = compiled_.policy.scores(s);
    Explanation::ScoreLine line;
    line.name = score.name();
    line.base = score.base();
    line.sum = verdict_.scores[s].sum;
    line.no_signal = verdict_.scores[s].no_signal;
    if (verdict_.scores[s].band >= 0) line.band = score.bands(verdict_.scores[s].band).name();
    for (int t = 0; t < score.terms_size(); ++t) {
      const CompiledTerm& term = compiled_.scores[s].terms[t];
      Explanation::TermLine out;
      out.signal = score.terms(t).signal();
      out.value = SignalValue(term.slot);
      out.weight = term.weight;
      out.shape = absl::AsciiStrToLower(policy::Term::Shape_Name(term.shape));
      out.contribution = Contribution(term, features_.number(term.slot));
      out.bounded = std::abs(out.contribution) == term.most && term.most > 0;
      out.background = term.background;
      line.terms.push_back(out);
    }
    return line;
  }

  Explanation::RuleLine Rule(size_t at) const {
    const int index = compiled_.effects[at].rule;
    const policy::Rule& rule = compiled_.policy.rules(index);
    const auto in = [index](const std::vector<int>& rules) {
      return std::find(rules.begin(), rules.end(), index) != rules.end();
    };
    Explanation::RuleLine line;
    line.name = rule.name();
    line.place = Place(index);
    line.priority = rule.priority();
    line.tried = static_cast<int>(at) < verdict_.rules_tried;
    line.holds = in(verdict_.rules);
    line.stepped_aside = in(verdict_.stepped_aside);
    line.condition = rule.has_when() ? Describe(rule.when()) : "always";
    line.effect = Effect(rule);
    return line;
  }

  Explanation::CandidateLine Candidate(int i) const {
    Explanation::CandidateLine line;
    line.name = compiled_.names[i];
    if (!verdict_.candidates.Has(i)) line.reason = Reason(i);
    return line;
  }

 private:
  std::string Place(int rule) const { return PlaceOf(absl::StrCat("rules[", rule, "]")); }

  std::string SignalValue(int i) const {
    const CompiledSignal& signal = compiled_.signals[i];
    if (!signal.used) return "not read: nothing uses it";
    if (signal.kind == SignalKind::kField) return Quoted(signal.field(request_));
    if (signal.kind == SignalKind::kMetadata) {
      for (const auto& [key, value] : request_.metadata) {
        if (key == signal.metadata_key) return Quoted(value);
      }
      return "\"\"";
    }
    return Number(features_.number(i));
  }

  std::string PlaceOf(const std::string& path) const {
    return absl::StrCat(compiled_.file, ":", compiled_.source.Find(path).line);
  }

  // Which message a piece of text is in, and where.
  void Locate(std::string_view text, Explanation::Span* span) const {
    const std::string_view turn = LastUserTurn(request_);
    for (size_t m = 0; m < request_.messages.size(); ++m) {
      const std::string_view content = request_.messages[m].content;
      if (text.data() < content.data() || text.data() > content.data() + content.size()) continue;
      span->offset = static_cast<size_t>(text.data() - content.data());
      span->part = content.data() == turn.data() ? "last user turn" : absl::StrCat("message ", m + 1);
      return;
    }
  }

  std::string PatternText(int signal, int nth) const {
    const policy::Patterns& patterns = compiled_.policy.signals(signal).patterns();
    return nth < patterns.regex_size() ? patterns.regex(nth) : patterns.keyword(nth - patterns.regex_size());
  }

  std::vector<Explanation::Span> Spans(int signal) const {
    const policy::TextPart part = compiled_.policy.signals(signal).patterns().in();
    const std::vector<int>& owner = compiled_.pattern_signal[part];
    std::vector<Explanation::Span> spans;
    int nth = 0;
    for (size_t number = 0; number < owner.size(); ++number) {
      if (owner[number] != signal) continue;
      Explanation::Span span;
      span.pattern = PatternText(signal, nth++);
      bool found = false;
      ForEachPiece(request_, part, compiled_.read_bytes, [&](std::string_view piece) {
        std::string_view where;
        if (found || !compiled_.matchers[part].Find(static_cast<int>(number), piece, &where)) return;
        found = true;
        span.text = std::string(where);
        Locate(where, &span);
      });
      if (found) spans.push_back(span);
    }
    return spans;
  }

  // What a candidate did with the requests nearest to this one.
  std::string Outcomes(const OutcomeNeighbours& outcomes) const {
    const OutcomeNeighbours::Options& options = outcomes.options();
    const auto estimated = outcomes.Estimate(request_.embedding, request_.embedding_model);
    const std::string near =
        absl::StrFormat("%d of %d recorded requests are near (cosine at least %.4g; at most %d count)",
                        estimated.near, outcomes.size(), options.least_similarity, options.neighbours);
    switch (estimated.abstains) {
      case OutcomeNeighbours::Abstains::kNoEmbedding:
        return "abstains: the caller passed no embedding";
      case OutcomeNeighbours::Abstains::kOtherModel:
        return absl::StrCat("abstains: the embedding is not one of ", Quoted(options.embedding_model));
      case OutcomeNeighbours::Abstains::kTooFewNear:
        return absl::StrFormat("abstains: %s, fewer than %d", near, options.least_neighbours);
      case OutcomeNeighbours::Abstains::kNo:
        break;
    }
    return absl::StrFormat("%s: %s answered %.4g of them well, so above %.4g with confidence %.4g", near,
                           options.candidate, estimated.good, estimated.guarded, options.confidence);
  }

  std::string NearestExample(int i) const {
    const CompiledSignal& signal = compiled_.signals[i];
    const std::span<const float> embedding = request_.embedding;
    if (embedding.empty()) return "the caller passed no embedding";
    if (request_.embedding_model != signal.embedding_model)
      return absl::StrCat("the embedding is not one of ", Quoted(signal.embedding_model));
    if (static_cast<int>(embedding.size()) != signal.dimensions) {
      return absl::StrCat("the embedding has ", embedding.size(), " numbers, the examples have ",
                          signal.dimensions);
    }
    int nearest = 0;
    double most = -std::numeric_limits<double>::infinity();
    for (int e = 0; e < compiled_.policy.signals(i).examples().example_size(); ++e) {
      const float* example = signal.examples.data() + static_cast<size_t>(e) * embedding.size();
      const double dot = std::inner_product(embedding.begin(), embedding.end(), example, 0.0);
      if (dot > most) nearest = e;
      most = std::max(most, dot);
    }
    return absl::StrCat("nearest is ",
                        Quoted(compiled_.policy.signals(i).examples().example(nearest).phrase()));
  }

  // A condition with what it met: "length at_least 100 (is 120: yes)".
  std::string Describe(const policy::Condition& condition) const {
    const auto join = [&](const auto& parts, const char* word) {
      std::vector<std::string> described;
      for (const policy::Condition& part : parts) described.push_back(Describe(part));
      return absl::StrCat("(", absl::StrJoin(described, absl::StrCat(" ", word, " ")), ")");
    };
    if (condition.all_size() == 1) return Describe(condition.all(0));
    if (condition.any_size() == 1) return Describe(condition.any(0));
    if (!condition.all().empty()) return join(condition.all(), "and");
    if (!condition.any().empty()) return join(condition.any(), "or");
    if (condition.has_not_()) return absl::StrCat("not ", Describe(condition.not_()));
    if (!condition.signal().empty()) {
      const int signal = compiled_.signal_index.find(condition.signal())->second;
      return absl::StrCat(condition.signal(), Comparison(condition), " [is ", SignalValue(signal), "]");
    }
    if (!condition.score().empty()) return DescribeScore(condition);
    if (!condition.request_class().empty()) {
      const int is = verdict_.request_class;
      return absl::StrCat("class ", condition.request_class(), " [is ",
                          is < 0 ? "none" : compiled_.policy.request_classes(is).name(), "]");
    }
    return "always";
  }

  std::string DescribeScore(const policy::Condition& condition) const {
    int s = 0;
    while (compiled_.policy.scores(s).name() != condition.score()) ++s;
    const ScoreValue& value = verdict_.scores[s];
    if (condition.no_signal()) {
      return absl::StrCat(condition.score(), " saw no signal [it saw ", value.no_signal ? "none]" : "some]");
    }
    if (condition.band().empty()) {
      return absl::StrCat(condition.score(), Comparison(condition), " [is ", Number(value.sum), "]");
    }
    return absl::StrCat(condition.score(), " in ", absl::StrJoin(condition.band(), " or "), " [is ",
                        value.band < 0 ? "in no band" : compiled_.policy.scores(s).bands(value.band).name(),
                        "]");
  }

  static std::string Comparison(const policy::Condition& condition) {
    std::string text;
    if (condition.has_at_least()) absl::StrAppend(&text, " at_least ", Number(condition.at_least()));
    if (condition.has_above()) absl::StrAppend(&text, " above ", Number(condition.above()));
    if (condition.has_at_most()) absl::StrAppend(&text, " at_most ", Number(condition.at_most()));
    if (condition.has_below()) absl::StrAppend(&text, " below ", Number(condition.below()));
    if (!condition.one_of().empty()) {
      absl::StrAppend(&text, " one_of \"", absl::StrJoin(condition.one_of(), "\", \""), "\"");
    }
    return text.empty() ? " present" : text;
  }

  static std::string Selected(const policy::Select& select) {
    std::vector<std::string> parts(select.names().begin(), select.names().end());
    for (const std::string& label : select.labels()) parts.push_back(absl::StrCat("label ", label));
    for (const std::string& provider : select.providers())
      parts.push_back(absl::StrCat("provider ", provider));
    return absl::StrJoin(parts, ", ");
  }

  static std::string Effect(const policy::Rule& rule) {
    std::vector<std::string> parts;
    if (!rule.refuse().empty()) parts.push_back(absl::StrCat("refuse ", Quoted(rule.refuse())));
    if (rule.has_only()) parts.push_back(absl::StrCat("only ", Selected(rule.only())));
    if (rule.has_deny()) parts.push_back(absl::StrCat("deny ", Selected(rule.deny())));
    if (rule.has_min_quality()) parts.push_back(absl::StrCat("min_quality ", rule.min_quality()));
    if (rule.has_max_quality()) parts.push_back(absl::StrCat("max_quality ", rule.max_quality()));
    if (rule.has_prefer()) parts.push_back(absl::StrCat("prefer ", Selected(rule.prefer())));
    if (rule.latency_limit_ms() > 0)
      parts.push_back(absl::StrCat("latency_limit_ms ", rule.latency_limit_ms()));
    if (rule.stop()) parts.push_back("stop");
    return absl::StrJoin(parts, ", ");
  }

  std::string Missing(uint32_t needs) const {
    std::vector<std::string> names;
    for (; needs != 0; needs &= needs - 1) {
      names.push_back(absl::AsciiStrToLower(
          policy::Capability_Name(static_cast<policy::Capability>(std::countr_zero(needs)))));
    }
    return absl::StrJoin(names, ", ");
  }

  // Where the policy says what a candidate is.
  std::string Stated(int i) const {
    return absl::StrCat("; candidate at ", PlaceOf(absl::StrCat("candidates[", i, "]")));
  }

  int64_t InputTokens(int i) const {
    return context_.candidate_input_tokens.empty() ? context_.input_tokens
                                                   : context_.candidate_input_tokens[i];
  }

  // Whose latency limit it is: the request's, or the first rule's that is as low.
  std::string LatencyLimit() const {
    const int limit = verdict_.latency_limit_ms;
    for (const int rule : verdict_.rules) {
      const bool aside = std::find(verdict_.stepped_aside.begin(), verdict_.stepped_aside.end(), rule) !=
                         verdict_.stepped_aside.end();
      if (aside || limit == request_.latency_limit_ms ||
          compiled_.policy.rules(rule).latency_limit_ms() != limit)
        continue;
      return absl::StrCat(limit, " ms; rule \"", compiled_.policy.rules(rule).name(), "\" at ", Place(rule));
    }
    return absl::StrCat(limit, " ms; the request's own");
  }

  std::string Reason(int i) const {
    const RejectReason& reason = verdict_.reasons[i];
    const std::string name(RejectName(reason.reject));
    switch (reason.reject) {
      case Reject::kNone:
        return verdict_.refusal == Refusal::kNone ? "" : "the request is refused";
      case Reject::kNotAllowed:
        return absl::StrCat(name, " at ", PlaceOf("routing.allow"));
      case Reject::kDenied:
        return absl::StrCat(name, " at ", PlaceOf("routing.deny"));
      case Reject::kContextWindow:
        return absl::StrCat(name, ": ", compiled_.context_window[i], " tokens are too few for ",
                            InputTokens(i), " of input and ",
                            std::max<int64_t>(1, request_.max_output_tokens), " of output", Stated(i));
      case Reject::kMaxOutput:
        return absl::StrCat(name, ": answers with ", compiled_.max_output[i], " tokens at most, not ",
                            request_.max_output_tokens, Stated(i));
      case Reject::kLacksCapability:
        return absl::StrCat("lacks ", Missing(reason.missing), Stated(i));
      case Reject::kRegion:
        return absl::StrCat(name, ": does not run in ", Quoted(request_.region), Stated(i));
      case Reject::kDataPolicy:
        return absl::StrCat(name, ": is not cleared for ", Quoted(request_.data_policy), Stated(i));
      case Reject::kUnpriced:
        return absl::StrCat(name, Stated(i));
      case Reject::kRuleMinQuality:
      case Reject::kRuleMaxQuality:
        return absl::StrCat(name, ": quality ", compiled_.quality[i], "; rule \"",
                            compiled_.policy.rules(reason.rule).name(), "\" at ", Place(reason.rule));
      case Reject::kRuleOnly:
      case Reject::kRuleDeny:
        return absl::StrCat(name, ": rule \"", compiled_.policy.rules(reason.rule).name(), "\" at ",
                            Place(reason.rule));
      case Reject::kLatency:
        return absl::StrCat(name, " of ", LatencyLimit());
      case Reject::kToolLoop:
        return absl::StrCat(name, ": quality ", compiled_.quality[i], "; escalate_only_in_tool_loop at ",
                            PlaceOf("routing.escalate_only_in_tool_loop"));
      case Reject::kUnhealthy:
        return name;
    }
    return name;
  }

  const CompiledPolicy& compiled_;
  const Request& request_;
  const Context& context_;
  const Features& features_;
  const Verdict& verdict_;
};

void PrintScore(const Explanation::ScoreLine& score, std::string* out) {
  absl::StrAppendFormat(out, "  %s = %.4g%s%s\n", score.name, score.sum,
                        score.band.empty() ? std::string() : absl::StrCat(": ", score.band),
                        score.no_signal ? " (no signal was seen)" : "");
  if (score.base != 0) absl::StrAppendFormat(out, "    %+8.3f base\n", score.base);
  for (const Explanation::TermLine& term : score.terms) {
    if (term.contribution == 0) continue;
    absl::StrAppendFormat(out, "    %+8.3f %s (%s is %s, weight %.4g%s%s)\n", term.contribution, term.signal,
                          term.shape, term.value, term.weight, term.bounded ? ", bounded" : "",
                          term.background ? ", background" : "");
  }
}

}  // namespace

Explanation Explain(const Program& program, const Request& request, const Context& context,
                    const Features& features, const Verdict& verdict, const Choice* choice) {
  const CompiledPolicy& compiled = program.compiled();
  const Explainer explainer(program, request, context, features, verdict);
  Explanation explanation;
  for (size_t i = 0; i < compiled.signals.size(); ++i) {
    explanation.signals.push_back(explainer.Signal(static_cast<int>(i)));
  }
  for (size_t s = 0; s < compiled.scores.size(); ++s) {
    explanation.scores.push_back(explainer.Score(static_cast<int>(s)));
  }
  for (size_t r = 0; r < compiled.effects.size(); ++r) explanation.rules.push_back(explainer.Rule(r));
  for (int i = 0; i < compiled.candidates; ++i) explanation.candidates.push_back(explainer.Candidate(i));
  if (choice != nullptr) {
    for (int rank = 0; rank < choice->count; ++rank) {
      explanation.candidates[choice->ranked[rank].candidate].rank = rank + 1;
    }
  }
  if (verdict.request_class >= 0) {
    explanation.request_class = compiled.policy.request_classes(verdict.request_class).name();
  }
  explanation.quality_dropped = verdict.quality_dropped;
  explanation.refusal = program.RefusalMessage(verdict);
  return explanation;
}

std::string Explanation::ToString() const {
  std::string out;
  if (!request_class.empty()) absl::StrAppend(&out, "class ", request_class, "\n");
  if (!signals.empty()) absl::StrAppend(&out, "signals\n");
  for (const SignalLine& signal : signals) {
    absl::StrAppend(&out, "  ", signal.name, " = ", signal.value, "\n");
    if (!signal.note.empty()) absl::StrAppend(&out, "    ", signal.note, "\n");
    for (const Span& span : signal.spans) {
      absl::StrAppend(&out, "    ", Quoted(span.text), " at byte ", span.offset, " of ", span.part, " (",
                      Quoted(span.pattern), ")\n");
    }
  }
  if (!scores.empty()) absl::StrAppend(&out, "scores\n");
  for (const ScoreLine& score : scores) PrintScore(score, &out);
  if (!rules.empty()) absl::StrAppend(&out, "rules\n");
  for (const RuleLine& rule : rules) {
    const char* state = !rule.tried          ? "not tried"
                        : rule.stepped_aside ? "steps aside"
                        : rule.holds         ? "holds"
                                             : "does not hold";
    absl::StrAppend(&out, "  ", rule.place, " \"", rule.name, "\" ", state, ": ", rule.condition, " -> ",
                    rule.effect, "\n");
  }
  absl::StrAppend(&out, "candidates\n");
  if (quality_dropped) {
    absl::StrAppend(&out,
                    "  none has the quality that the rules ask for: the best of the others serve the request "
                    "(if_none: BEST_LEFT)\n");
  }
  std::vector<const CandidateLine*> in_order;
  for (const CandidateLine& candidate : candidates) in_order.push_back(&candidate);
  std::stable_sort(in_order.begin(), in_order.end(), [](const CandidateLine* a, const CandidateLine* b) {
    return (a->rank == 0 ? kMaxCandidates + 1 : a->rank) < (b->rank == 0 ? kMaxCandidates + 1 : b->rank);
  });
  for (const CandidateLine* candidate : in_order) {
    absl::StrAppend(&out, "  ",
                    candidate->rank > 0         ? absl::StrCat(candidate->rank, ". ")
                    : candidate->reason.empty() ? "+  "
                                                : "-  ",
                    candidate->name, candidate->reason.empty() ? "" : absl::StrCat(": ", candidate->reason),
                    "\n");
  }
  if (!refusal.empty()) absl::StrAppend(&out, "refused: ", refusal, "\n");
  return out;
}

}  // namespace purser::routing
