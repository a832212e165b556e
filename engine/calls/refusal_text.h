#ifndef PURSER_ENGINE_CALLS_REFUSAL_TEXT_H_
#define PURSER_ENGINE_CALLS_REFUSAL_TEXT_H_

#include <cstdint>
#include <string>

#include "engine/budget/accounts.h"

namespace purser {

// Why no hold was given, for people: the account, its limit, what is settled and held, what the call needs,
// when there is room again, and what would help. `tokens_to_drop`: with this many input tokens less it would
// fit; 0: not known. Replaces *text.
void RefusalText(const budget::Plan& plan, const budget::HoldResult& refused, int64_t tokens_to_drop,
                 std::string* text);

}  // namespace purser

#endif  // PURSER_ENGINE_CALLS_REFUSAL_TEXT_H_
