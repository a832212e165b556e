"""Plants fields that do nothing and expects check_fields.py to find them, and no others."""

import unittest

import check_fields

POLICY = """
syntax = "proto3";
package purser.policy;
message Policy {
  repeated RequestClass request_classes = 1;
  Routing routing = 2;
}
message RequestClass {
  string name = 1;
  string cost_slo_usd = 7;  // Only validated.
}
message Routing {
  string name = 1;  // Read of a RequestClass alone.
  oneof kind { double share = 2; string salt = 3; }
  repeated int32 not = 4;
}
"""
RECORD_PROTO = """
syntax = "proto3";
package purser.ledger;
enum RecordFlag { NO_FLAGS = 0; LATE = 1; PRESUMED = 2; }
message Record {
  bytes request_id = 1;
  int64 cost_nanos = 2;
  int64 saved_nanos = 3;
  int64 region = 4;
  uint32 flags = 5;
}
"""
RECORD_H = """
namespace purser::ledger {
struct RecordView {
  std::string_view request_id;
  int64_t cost_nanos = 0, saved_nanos = 0;
  uint32_t flags = 0;
};
}
"""
CODEC = """
namespace purser::ledger {
template <> struct FieldsOf<RecordView> { using List = FieldList<Field<3, &RecordView::saved_nanos>>; };
}
"""
PURSER_H = """
namespace purser {
enum class Refusal : uint8_t { kNone, kRule, kBudget };
struct Request { std::string_view id{}; std::string_view tenant{}; };
enum class Action : uint8_t { kRefuse };
enum class SettleResult : uint8_t { kUnknownTicket };
struct PolicySource { std::string file; };
struct Options { int64_t frames = 0; };
struct ExtraCost { int64_t nanos = 0; };
struct CallResult { int64_t latency_ms = 0; };
struct CacheableAnswer { std::string_view text{}; };
struct Message { std::string_view content{}; };
struct Decision { Refusal refusal = Refusal::kNone; int64_t held_nanos = 0; int64_t likely_nanos = 0; };
}
"""
CHECK = """
namespace purser {
void CheckClass(const policy::RequestClass& c) { Usd(c.cost_slo_usd()); }
}
"""
ENGINE = """
namespace purser {
struct Scratch { ledger::RecordView record; };
void Compile(const policy::Policy& policy) {
  for (const auto& c : policy.request_classes()) Use(c.name());
  Use(policy.routing().share() + policy.routing().not_(0));
  if (policy.routing().has_salt()) return;
}
void Settle(const Request& request, Scratch* scratch, Decision* decision) {
  auto& record = scratch->record;
  record.request_id = request.id;
  record.cost_nanos = decision->held_nanos;
  record.flags |= ledger::LATE;
  decision->likely_nanos = 0;
  decision->refusal = Refusal::kRule;
  decision->held_nanos += 5;
  if (decision->refusal == Refusal::kBudget) return;
}
template <typename View>
int64_t Sum(const View& view) { return view.request_id.size() + view.cost_nanos; }
int64_t All(const PolicySource& p, const Options& o, const ExtraCost& e, const CallResult& result, const CacheableAnswer& a, const Message& m) {
  return p.file.size() + o.frames + e.nanos + result.latency_ms + a.text.size() + m.content.size();
}
bool Presumed(const ledger::RecordView& r) {
  return (r.flags & ledger::PRESUMED) != 0 || r.saved_nanos > 0;
}
}
"""
FILES = {"a/policy.proto": POLICY, "b/record.proto": RECORD_PROTO, "c/record.h": RECORD_H, "c/record.cc": CODEC,
         "d/purser.h": PURSER_H, "e/check.cc": CHECK, "e/engine.cc": ENGINE}
DEAD = {
    "RequestClass.cost_slo_usd": "nothing reads it",
    "Routing.name": "nothing reads it",
    "Record.region": "has no field in record.h",
    "RecordView.saved_nanos": "nothing writes it",
    "RecordFlag.PRESUMED": "nothing writes it",
    "Request.tenant": "nothing reads it",
    "Decision.likely_nanos": "nothing writes it",
    "Refusal.kBudget": "nothing writes it",
}


def dead(files):
    return {name: missing for name, missing, _ in check_fields.Check(list(files), files).dead()}


class CheckFieldsTest(unittest.TestCase):
    def test_what_is_planted_is_found_and_nothing_else(self):
        self.assertEqual(dead(FILES), DEAD)

    def test_what_is_used_is_no_longer_reported(self):
        used = FILES | {"e/more.cc": """
namespace purser {
void More(Decision* decision, const Request& request, const policy::RequestClass& c, ledger::RecordView* record) {
  Put({.refusal = Refusal::kNone, .likely_nanos = c.cost_slo_usd()});
  Add(&record->saved_nanos, request.tenant);
  decision->refusal = full ? Refusal::kBudget : Refusal::kRule;
  record->flags = ledger::PRESUMED;
}
}
"""}
        self.assertEqual(set(dead(used)), {"Routing.name", "Record.region"})

    def test_exceptions_are_let_pass_and_must_be_needed(self):
        check = check_fields.Check(list(FILES), FILES)
        self.assertEqual(list(check_fields.problems(check, dict.fromkeys(DEAD, "planted"))), [])
        listed = dict.fromkeys(set(DEAD) - {"Routing.name"} | {"RequestClass.name"}, "planted")
        found = list(check_fields.problems(check, listed))
        self.assertEqual(len(found), 2)
        self.assertIn("policy.proto: Routing.name: nothing reads it", found)
        self.assertIn("RequestClass.name is used, or gone", found[1])

    def test_a_public_struct_that_is_renamed_does_not_slip_away(self):
        renamed = FILES | {"d/purser.h": PURSER_H.replace("struct ExtraCost", "struct OtherCost")}
        found = list(check_fields.problems(check_fields.Check(list(renamed), renamed), dict.fromkeys(DEAD, "planted")))
        self.assertTrue(any("declare no ExtraCost" in problem for problem in found), found)

    def test_what_tests_do_does_not_count(self):
        for path in ("tests/a.cc", "bench/a.cc", "engine/a_test.cc", "x/engine_fixture.h", "tests/support/a.h"):
            self.assertFalse(check_fields.is_production(path), path)
        self.assertTrue(check_fields.is_production("engine/calls/settle.cc"))


if __name__ == "__main__":
    unittest.main()
