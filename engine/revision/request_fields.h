#ifndef PURSER_ENGINE_REVISION_REQUEST_FIELDS_H_
#define PURSER_ENGINE_REVISION_REQUEST_FIELDS_H_

#include <purser/request.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/budget/plan.h"

namespace purser {

// What budgets read of a request. Provider and model are the candidate's.
inline budget::Scope ScopeOf(const Request& request) {
  budget::Scope scope;
  scope.tenant = request.tenant;
  scope.customer = request.customer;
  scope.customer_tier = request.customer_tier;
  scope.team = request.team;
  scope.feature = request.feature;
  scope.use_case = request.use_case;
  scope.session = request.session;
  scope.task = request.task;
  scope.parent_task = request.parent_task;
  return scope;
}

// What the ledger keeps of a request; `View` is a RecordView or a DispatchedView.
template <typename View>
void DescribeRequest(const Request& request, View* view) {
  view->request_id = request.id;
  view->tenant = request.tenant;
  view->customer = request.customer;
  view->customer_tier = request.customer_tier;
  view->team = request.team;
  view->feature = request.feature;
  view->use_case = request.use_case;
  view->session = request.session;
  view->task = request.task;
  view->parent_task = request.parent_task;
  view->release = request.release;
  view->step = request.step;
  view->attempt = request.attempt;
  view->model_asked = request.model;
}

// The scope that a record or a dispatch of the ledger was charged to.
template <typename View>
budget::Scope ScopeOfView(const View& view) {
  budget::Scope scope;
  scope.tenant = view.tenant;
  scope.customer = view.customer;
  scope.customer_tier = view.customer_tier;
  scope.team = view.team;
  scope.feature = view.feature;
  scope.use_case = view.use_case;
  scope.session = view.session;
  scope.task = view.task;
  scope.parent_task = view.parent_task;
  scope.provider = view.provider;
  scope.model = view.model;
  return scope;
}

// What a call counts as in budgets of steps: a retry repeats its step.
inline int64_t StepsOf(int32_t attempt) { return attempt <= 1 ? 1 : 0; }

// A scope as bytes, and back: each field after its length. DecodeScope's views point into `bytes`; false: not
// such bytes.
std::string EncodeScope(const budget::Scope& scope);
bool DecodeScope(std::string_view bytes, budget::Scope* scope);

}  // namespace purser

#endif  // PURSER_ENGINE_REVISION_REQUEST_FIELDS_H_
