#include "engine/budget/key.h"

#include <algorithm>
#include <initializer_list>
#include <span>

#include "engine/base/prefixed_bytes.h"
#include "engine/budget/canary.h"
#include "engine/budget/sha256.h"

namespace purser::budget {
namespace {

template <typename Sink>
void ForEachPiece(std::span<const std::string_view> values, Sink&& sink) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i + 1 < values.size() && !Planted(Canary::kKeysRunTogether)) {
      char length[kMaxVarintLength];
      sink(std::string_view(length, PutVarintLength(values[i].size(), length) - length));
    }
    sink(values[i]);
  }
}

// What nearly every key is: short values, lengths of a byte.
bool JoinShort(std::span<const std::string_view> values, KeyBytes* key) {
  if (Planted(Canary::kKeysRunTogether)) return false;
  size_t size = values.size() - 1;
  for (const std::string_view value : values) size += value.size();
  if (values.empty() || size > key->bytes.size()) return false;  // So each value is below 128 bytes.
  char* to = key->bytes.data();
  for (size_t i = 0; i < values.size(); ++i) {
    if (i + 1 < values.size()) to = PutVarintLength(values[i].size(), to);
    std::copy(values[i].begin(), values[i].end(), to);
    to += values[i].size();
  }
  key->size = static_cast<uint8_t>(size);
  return true;
}

KeyBytes Join(std::span<const std::string_view> values) {
  KeyBytes key;
  if (JoinShort(values, &key)) return key;
  size_t size = 0;
  ForEachPiece(values, [&](std::string_view piece) {
    if (!piece.empty() && size < key.bytes.size())
      std::memcpy(key.bytes.data() + size, piece.data(), std::min(piece.size(), key.bytes.size() - size));
    size += piece.size();
  });
  if (size <= key.bytes.size()) {
    key.size = static_cast<uint8_t>(size);
    return key;
  }
  Sha256 sha;
  ForEachPiece(values, [&](std::string_view piece) { sha.Add(piece); });
  const std::array<uint8_t, 32> digest = sha.Finish();
  std::memcpy(key.bytes.data() + KeyBytes::kDigestedPrefix, digest.data(), digest.size());
  key.size = KeyBytes::kMaxSize;
  key.digested = true;
  return key;
}

void AppendPrintable(std::string_view bytes, std::string* text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const unsigned char c : bytes) {
    if (c > ' ' && c < 0x7f && c != '\\' && c != '/') {
      text->push_back(static_cast<char>(c));
    } else {
      text->append({'\\', 'x', kHex[c >> 4], kHex[c & 15]});
    }
  }
}

}  // namespace

KeyBytes MakeKey(const Budget& budget, const Scope& scope) {
  std::array<std::string_view, kMaxKeyFields> values;
  for (size_t i = 0; i < budget.key.size(); ++i) values[i] = ValueOf(scope, budget.key[i]);
  return Join(std::span(values).first(budget.key.size()));
}

KeyBytes MakeTaskKey(std::string_view tenant, std::string_view task) {
  const std::array<std::string_view, 2> values = {tenant, task};
  return Join(values);
}

std::string KeyText(const Budget& budget, const KeyBytes& key) {
  std::string text;
  std::string_view rest = key.view();
  if (key.digested) rest = rest.substr(0, KeyBytes::kDigestedPrefix);
  for (size_t i = 0; i < budget.key.size(); ++i) {
    const bool last = i + 1 == budget.key.size();
    size_t size = rest.size();
    if (!last && !TakeVarintLength(&rest, &size)) rest = {};  // The length itself is cut off.
    const std::string_view value = rest.substr(0, size);
    if (!(i == 0 && value.empty() && !last)) {  // A tenant that was left out.
      if (!text.empty()) text.push_back('/');
      AppendPrintable(value, &text);
    }
    rest.remove_prefix(value.size());
    if (key.digested && rest.empty()) break;
  }
  if (key.digested) {
    text += "..";
    static constexpr char kHex[] = "0123456789abcdef";
    for (int i = 0; i < 4; ++i) {
      const unsigned char c = static_cast<unsigned char>(key.bytes[KeyBytes::kDigestedPrefix + i]);
      text.append({kHex[c >> 4], kHex[c & 15]});
    }
  }
  return text;
}

}  // namespace purser::budget
