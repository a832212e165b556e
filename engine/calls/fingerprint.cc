#include "engine/calls/fingerprint.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>

namespace purser {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

class Normaliser {
 public:
  explicit Normaliser(XXH3_state_t* state) : state_(*state) { XXH3_64bits_reset(&state_); }

  void Add(std::string_view text) {
    bool started = false;
    bool space = false;
    for (const char c : text) {
      if (IsSpace(c)) {
        space = started;
        continue;
      }
      if (space) Put(' ');
      Put(Lower(c));
      started = true;
      space = false;
    }
    Put('\0');
  }

  uint64_t Finish() {
    Flush();
    const uint64_t hash = XXH3_64bits_digest(&state_);
    return hash == 0 ? 1 : hash;
  }

 private:
  void Put(char c) {
    buffer_[size_++] = c;
    if (size_ == buffer_.size()) Flush();
  }
  void Flush() {
    XXH3_64bits_update(&state_, buffer_.data(), size_);
    size_ = 0;
  }

  XXH3_state_t& state_;
  std::array<char, 512> buffer_;
  size_t size_ = 0;
};

}  // namespace

uint64_t FingerprintOf(const Request& request) {
  size_t first = request.messages.size();
  while (first > 0 && request.messages[first - 1].role != Role::kAssistant) --first;
  XXH3_state_t state;
  Normaliser normaliser(&state);
  normaliser.Add(request.tools_json);
  for (const Message& message : request.messages.subspan(first)) normaliser.Add(message.content);
  return normaliser.Finish();
}

}  // namespace purser
