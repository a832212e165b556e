#ifndef PURSER_ENGINE_LEDGER_COST_CHANGE_H_
#define PURSER_ENGINE_LEDGER_COST_CHANGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "engine/ledger/record_reader.h"

namespace purser::ledger {

// What decides the cost of a set of calls (a period, a release): how many tasks of which class, how many
// calls a task makes, how many of them the cache answers, which models serve the others, how much each call
// uses of each meter, and what a unit of it costs. A task without an id is a call by itself.
//
// Memory: a few hundred bytes per class x model x meter, and 8 per task.
class CostShape {
 public:
  void Add(const Entry& entry);

  int64_t cost_nanos() const { return cost_nanos_; }
  int64_t calls() const { return calls_; }
  int64_t tasks() const;

 private:
  friend struct CostChange;
  friend class Counterfactual;
  struct Meter {
    int64_t quantity = 0;
    int64_t cost_nanos = 0;
  };
  struct Model {
    int64_t calls = 0;
    std::map<std::string, Meter, std::less<>> meters;
  };
  struct Class {
    absl::flat_hash_set<uint64_t> tasks;  // Hashes.
    int64_t calls_without_task = 0;
    int64_t calls = 0;
    int64_t hits = 0;
    std::map<std::string, Model, std::less<>> models;

    int64_t task_count() const { return static_cast<int64_t>(tasks.size()) + calls_without_task; }
  };

  std::map<std::string, Class, std::less<>> classes_;
  int64_t calls_ = 0;
  int64_t cost_nanos_ = 0;  // Adjustments included.
  int64_t adjusted_nanos_ = 0;
};

// Why the cost went from one set of calls to another. The parts add up to to - from exactly, to the
// nano-dollar: each is the difference that one more factor makes when the factors are exchanged one after the
// other, in this order, from the old values to the new ones (chain substitution). A class or model that only
// one of the sets has counts under mix or model choice.
struct CostChange {
  int64_t from_nanos = 0, to_nanos = 0;
  int64_t volume_nanos = 0;       // More or fewer tasks.
  int64_t mix_nanos = 0;          // Of other classes.
  int64_t loop_length_nanos = 0;  // More or fewer calls per task.
  int64_t cache_nanos = 0;        // The cache answers fewer or more of them.
  int64_t model_nanos = 0;        // Served by other models.
  int64_t tokens_nanos = 0;       // Using more or less per call.
  int64_t price_nanos = 0;        // At other prices.
  int64_t adjusted_nanos = 0;     // Corrections booked, for instance after an invoice.

  static CostChange Between(const CostShape& from, const CostShape& to);

  struct Part {
    const char* name;
    int64_t nanos;
  };
  std::vector<Part> Parts() const;
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_COST_CHANGE_H_
