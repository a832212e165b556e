#include "cache/entry_bytes.h"

#include <bit>

namespace purser::cache {

static_assert(std::endian::native == std::endian::little,
              "the files' numbers are written as they are in memory");

void PutString(std::string_view text, std::string* out) {
  PutNumber<uint64_t>(text.size(), out);
  out->append(text);
}

void PutEntry(const SavedEntry& entry, std::string* out) {
  PutString(entry.name_space, out);
  PutString(entry.request_class, out);
  PutNumber<uint64_t>(entry.key.size(), out);
  for (const std::string_view part : entry.key) PutString(part, out);
  PutString(entry.text, out);
  PutString(entry.answer, out);
  PutNumber<uint64_t>(entry.labels.size(), out);
  for (const auto& [kind, text] : entry.labels) {
    PutNumber<uint64_t>(kind, out);
    PutString(text, out);
  }
  PutString(entry.embedding_model, out);
  PutString(entry.compatibility, out);
  PutNumber(entry.raw_dimension, out);
  PutString(entry.vector, out);
  PutNumber(entry.stored_nanos, out);
  PutNumber(entry.expires_nanos, out);
  PutNumber(entry.saved_nano_usd, out);
  PutNumber(entry.answer_hash, out);
  PutNumber(entry.hits, out);
  PutNumber(entry.tried, out);
  PutNumber(entry.right, out);
}

SavedEntry TakeEntry(ByteReader* in) {
  SavedEntry entry;
  entry.name_space = in->TakeString();
  entry.request_class = in->TakeString();
  for (uint64_t left = in->TakeCount(8); left > 0 && in->ok(); --left) entry.key.push_back(in->TakeString());
  entry.text = in->TakeString();
  entry.answer = in->TakeString();
  for (uint64_t left = in->TakeCount(16); left > 0 && in->ok(); --left) {
    const auto kind = in->TakeNumber<uint64_t>();
    entry.labels.emplace_back(kind, in->TakeString());
  }
  entry.embedding_model = in->TakeString();
  entry.compatibility = in->TakeString();
  entry.raw_dimension = in->TakeNumber<uint64_t>();
  entry.vector = in->TakeString();
  entry.stored_nanos = in->TakeNumber<int64_t>();
  entry.expires_nanos = in->TakeNumber<int64_t>();
  entry.saved_nano_usd = in->TakeNumber<int64_t>();
  entry.answer_hash = in->TakeNumber<uint64_t>();
  entry.hits = in->TakeNumber<uint64_t>();
  entry.tried = in->TakeNumber<uint64_t>();
  entry.right = in->TakeNumber<uint64_t>();
  return entry;
}

bool Sound(const SavedEntry& entry) {
  return entry.vector.size() % sizeof(int16_t) == 0 &&
         entry.vector.size() / sizeof(int16_t) >= entry.raw_dimension;
}

}  // namespace purser::cache
