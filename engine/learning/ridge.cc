#include "engine/learning/ridge.h"

namespace purser::learning {
namespace {

constexpr int kMaxSteps = 40;
constexpr double kSquaredResidual = 1e-6;

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

// out += X' (X direction)
void AddNormal(const RidgeProblem& problem, const std::vector<float>& direction, std::vector<float>* out) {
  for (size_t row = 0; row + 1 < problem.row_begin.size(); ++row) {
    float product = 0;
    for (size_t i = problem.row_begin[row]; i < problem.row_begin[row + 1]; ++i) {
      product += problem.value[i] * direction[problem.column[i]];
    }
    for (size_t i = problem.row_begin[row]; i < problem.row_begin[row + 1]; ++i) {
      (*out)[problem.column[i]] += problem.value[i] * product;
    }
  }
}

}  // namespace

std::vector<float> SolveRidge(const RidgeProblem& problem, double penalty) {
  std::vector<float> weights(problem.columns, 0.0f);
  std::vector<float> residual(problem.columns, 0.0f);
  for (size_t row = 0; row + 1 < problem.row_begin.size(); ++row) {
    for (size_t i = problem.row_begin[row]; i < problem.row_begin[row + 1]; ++i) {
      residual[problem.column[i]] += problem.value[i] * problem.targets[row];
    }
  }
  std::vector<float> direction = residual;
  std::vector<float> image(problem.columns);
  double square = Dot(residual, residual);
  const double enough = square * kSquaredResidual;
  for (int step = 0; step < kMaxSteps && square > enough; ++step) {
    for (int c = 0; c < problem.columns; ++c) image[c] = static_cast<float>(penalty) * direction[c];
    AddNormal(problem, direction, &image);
    const double along = square / Dot(direction, image);
    for (int c = 0; c < problem.columns; ++c) {
      weights[c] += static_cast<float>(along) * direction[c];
      residual[c] -= static_cast<float>(along) * image[c];
    }
    const double next = Dot(residual, residual);
    const float keep = static_cast<float>(next / square);
    square = next;
    for (int c = 0; c < problem.columns; ++c) direction[c] = residual[c] + keep * direction[c];
  }
  return weights;
}

}  // namespace purser::learning
