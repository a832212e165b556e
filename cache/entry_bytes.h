#ifndef PURSER_CACHE_ENTRY_BYTES_H_
#define PURSER_CACHE_ENTRY_BYTES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace purser::cache {

// An entry as it is kept in files. Views.
struct SavedEntry {
  std::string_view name_space;
  std::string_view request_class;
  std::vector<std::string_view> key;
  std::string_view text;
  std::string_view answer;
  std::vector<std::pair<uint64_t, std::string_view>> labels;  // Kind and text.
  std::string_view embedding_model;
  std::string_view compatibility;
  uint64_t raw_dimension = 0;
  std::string_view vector;  // int16 components, padded. Empty: exact tier only.
  int64_t stored_nanos = 0;
  int64_t expires_nanos = 0;
  int64_t saved_nano_usd = 0;
  uint64_t answer_hash = 0;
  uint64_t hits = 0;
  uint64_t tried = 0;
  uint64_t right = 0;
};

// Numbers are written as they are in memory: little-endian. Strings are an 8-byte length and the bytes.
template <typename Number>
void PutNumber(Number number, std::string* out) {
  out->append(reinterpret_cast<const char*>(&number), sizeof(number));
}
void PutString(std::string_view text, std::string* out);
// Fields in the order of SavedEntry: numbers as 8 bytes, sequences as an 8-byte count and the members.
void PutEntry(const SavedEntry& entry, std::string* out);

// Takes fields off the front of bytes; once something is missing, `ok` is false and everything is empty.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool done() const { return bytes_.empty(); }

  template <typename Number>
  Number TakeNumber() {
    Number number{};
    const std::string_view taken = Take(sizeof(Number));
    if (ok_) std::memcpy(&number, taken.data(), sizeof(Number));
    return number;
  }
  std::string_view TakeString() { return Take(TakeNumber<uint64_t>()); }
  // A count of members that take at least `least` bytes each.
  uint64_t TakeCount(uint64_t least) {
    const auto count = TakeNumber<uint64_t>();
    if (count > bytes_.size() / least) ok_ = false;
    return ok_ ? count : 0;
  }
  std::string_view Take(uint64_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

SavedEntry TakeEntry(ByteReader* in);
// Whether the parts of an entry that was read fit each other.
bool Sound(const SavedEntry& entry);

}  // namespace purser::cache

#endif  // PURSER_CACHE_ENTRY_BYTES_H_
