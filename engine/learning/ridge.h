#ifndef PURSER_ENGINE_LEARNING_RIDGE_H_
#define PURSER_ENGINE_LEARNING_RIDGE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace purser::learning {

// Rows of a sparse matrix, and a number to predict for each.
struct RidgeProblem {
  int columns = 0;
  std::vector<size_t> row_begin = {0};
  std::vector<uint32_t> column;
  std::vector<float> value;
  std::vector<float> targets;

  void Add(uint32_t at, float x) {
    column.push_back(at);
    value.push_back(x);
  }
  void EndRow() { row_begin.push_back(column.size()); }
};

// The weights w that make |X w - targets|^2 + penalty |w|^2 least, by conjugate gradients on the normal
// equations (Hestenes and Stiefel, 1952), to a thousandth of the first residual or 40 steps. Deterministic.
std::vector<float> SolveRidge(const RidgeProblem& problem, double penalty);

}  // namespace purser::learning

#endif  // PURSER_ENGINE_LEARNING_RIDGE_H_
