#ifndef PURSER_ENGINE_ROUTING_REQUEST_TEXT_H_
#define PURSER_ENGINE_ROUTING_REQUEST_TEXT_H_

#include <purser/request.h>

#include <algorithm>
#include <string_view>

#include "purser/routing.pb.h"

namespace purser::routing {

// Which texts of a request a signal reads, and how much of them.

// What the user said last; empty if the user said nothing.
inline std::string_view LastUserTurn(const Request& request) {
  for (size_t i = request.messages.size(); i-- > 0;) {
    if (request.messages[i].role == Role::kUser) return request.messages[i].content;
  }
  return {};
}

inline std::string_view HeadOf(std::string_view text, size_t most) { return text.substr(0, most); }

// Calls visit(piece) for the texts of `part`, `most` bytes at most in all. A text that does not fit is read
// as two pieces, three quarters of what is left at its head and the rest at its tail. The system prompt is
// read from its beginning, the history from its latest message backwards.
template <typename Visit>
void ForEachPiece(const Request& request, policy::TextPart part, size_t most, Visit visit) {
  const auto read = [&](std::string_view text) {
    if (text.empty() || most == 0) return;
    if (text.size() <= most) {
      visit(text);
      most -= text.size();
      return;
    }
    const size_t head = most - most / 4;
    visit(text.substr(0, head));
    if (most > head) visit(text.substr(text.size() - (most - head)));
    most = 0;
  };
  if (part == policy::LAST_USER_TURN) {
    read(LastUserTurn(request));
  } else if (part == policy::SYSTEM_PROMPT) {
    for (const Message& message : request.messages) {
      if (message.role == Role::kSystem) read(message.content);
    }
  } else {
    bool last_user_turn_passed = false;
    for (size_t i = request.messages.size(); i-- > 0 && most > 0;) {
      const Message& message = request.messages[i];
      if (message.role == Role::kSystem) continue;
      if (message.role == Role::kUser && !last_user_turn_passed) {
        last_user_turn_passed = true;
        continue;
      }
      read(message.content);
    }
  }
}

}  // namespace purser::routing

#endif  // PURSER_ENGINE_ROUTING_REQUEST_TEXT_H_
