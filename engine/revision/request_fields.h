#ifndef PURSER_ENGINE_REVISION_REQUEST_FIELDS_H_
#define PURSER_ENGINE_REVISION_REQUEST_FIELDS_H_

#include <purser/request.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/budget/plan.h"

namespace purser {

// What budgets read of a request. Provider and model are the candidate's.
inline budget::Scope ScopeOf(const Dimensions& of) { return budget::Scope{of}; }

// What the ledger keeps of a request; `View` is a RecordView or a DispatchedView.
template <typename View>
void DescribeRequest(const Request& request, View* view) {
  static_cast<Dimensions&>(*view) = request;
  for (const OwnDimension& own : request.own_dimensions)
    view->own_dimensions.push_back({.name = own.name, .value = own.value});
  view->request_id = request.id;
  view->step = request.step;
  view->attempt = request.attempt;
  view->model_asked = request.model;
}

// The scope that a record or a dispatch of the ledger was charged to.
template <typename View>
budget::Scope ScopeOfView(const View& view) {
  return {view, view.provider, view.model};
}

// What a call counts as in budgets of steps: a retry repeats its step.
inline int64_t StepsOf(int32_t attempt) { return attempt <= 1 ? 1 : 0; }

// A scope as bytes, and back: each field after its length, as ledgers keep it. DecodeScope's views point into
// `bytes`; false: not such bytes.
std::string EncodeScope(const budget::Scope& scope);
bool DecodeScope(std::string_view bytes, budget::Scope* scope);

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_REQUEST_FIELDS_H_
