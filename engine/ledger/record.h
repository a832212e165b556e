#ifndef PURSER_ENGINE_LEDGER_RECORD_H_
#define PURSER_ENGINE_LEDGER_RECORD_H_

#include <purser/dimensions.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "purser/record.pb.h"

namespace purser::ledger {

// The messages of policies/record.proto as plain structs of views, with readers and writers of the protobuf
// wire format that allocate nothing: what Encode() writes is a valid protobuf message that any tool reads,
// and Decode() reads what any tool writes. Fields are documented in record.proto, under the same names; those
// of a request's dimensions come from the table of <purser/dimensions.h>.
//
// A view owns nothing: what was decoded points into the decoded bytes, what will be encoded points at the
// caller's. Default values are not stored and read back as defaults.

// Up to N values in place. push_back beyond N is refused with false.
template <typename T, size_t N>
class InlineList {
 public:
  static constexpr size_t kCapacity = N;
  InlineList() {
  }  // Elements beyond size() stay uninitialised: clearing 16 of them would cost more than a decode.
  InlineList(const InlineList& other) { *this = other; }
  InlineList& operator=(const InlineList& other) {
    size_ = other.size_;
    for (size_t i = 0; i < size_; ++i) values_[i] = other.values_[i];
    return *this;
  }
  bool push_back(const T& value) {
    if (size_ == N) return false;
    values_[size_++] = value;
    return true;
  }
  void clear() { size_ = 0; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T& operator[](size_t i) const { return values_[i]; }
  T& operator[](size_t i) { return values_[i]; }
  const T* begin() const { return values_; }
  const T* end() const { return values_ + size_; }
  T* begin() { return values_; }
  T* end() { return values_ + size_; }

 private:
  size_t size_ = 0;
  union {
    T values_[N];
  };
};

struct LineItemView {
  LineCategory category = LINE_UNSPECIFIED;
  std::string_view meter;
  int64_t quantity = 0;
  int64_t price_nanos = 0;
  int64_t price_unit = 0;
  int64_t cost_nanos = 0;
};

struct MeterCountView {
  std::string_view meter;
  int64_t quantity = 0;
};

struct OwnDimensionView {
  std::string_view name, value;
};

struct RecordView : Dimensions {
  std::string_view request_id;
  int64_t time_nanos = 0;
  std::string_view provider, model;
  int64_t input_tokens = 0, output_tokens = 0;
  int64_t cost_nanos = 0, estimated_nanos = 0, held_nanos = 0;

  uint64_t ticket = 0;
  std::string_view request_class, region;
  int32_t step = 0, attempt = 0;

  std::string_view model_asked, candidate, service_tier;
  uint64_t policy_revision = 0, price_revision = 0;
  uint32_t flags = 0;

  int64_t cached_input_tokens = 0, cache_write_tokens = 0, reasoning_tokens = 0;
  InlineList<MeterCountView, 16> meters;
  int64_t estimated_input_tokens = 0, estimated_output_tokens = 0;
  CacheHit cache_hit = CACHE_NONE;
  float similarity = 0;

  int64_t settled_nanos = 0, latency_us = 0, first_token_us = 0;

  InlineList<LineItemView, 16> line_items;
  int64_t default_cost_nanos = 0, best_constant_nanos = 0;
  int64_t saved_routing_nanos = 0, saved_cache_nanos = 0, saved_prompt_cache_nanos = 0, saved_clamp_nanos = 0,
          saved_batch_nanos = 0;

  Outcome outcome = OUTCOME_UNKNOWN;
  std::optional<float> quality;
  std::optional<int64_t> revenue_nanos;

  InlineList<OwnDimensionView, kMaxOwnDimensions> own_dimensions;

  int64_t counted_nanos = 0, counted_tokens = 0, counted_output_tokens = 0;
};

struct DispatchedView : Dimensions {
  uint64_t ticket = 0;
  std::string_view request_id;
  int64_t time_nanos = 0;
  std::string_view provider, model, candidate;
  int64_t held_nanos = 0, held_input_tokens = 0, held_output_tokens = 0;
  std::string_view request_class;
  int32_t step = 0, attempt = 0;
  int64_t expires_nanos = 0;
  uint64_t policy_revision = 0, price_revision = 0;
  int64_t estimated_nanos = 0;
  std::string_view model_asked;
  InlineList<OwnDimensionView, kMaxOwnDimensions> own_dimensions;
};

struct VoidedView {
  uint64_t ticket = 0;
  int64_t time_nanos = 0;
};

struct PresumedFinalView {
  uint64_t ticket = 0;
  int64_t time_nanos = 0;
};

struct ToppedUpView {
  std::string_view budget, key;
  int64_t amount_nanos = 0, tokens = 0, until_nanos = 0, time_nanos = 0;
  std::string_view reason;
};

struct PolicyLoadedView {
  std::string_view name;
  uint64_t policy_revision = 0, price_revision = 0;
  int64_t time_nanos = 0;
  std::string_view purser_version;
  std::string_view budgets;
};

struct AdjustedView {
  uint64_t ticket = 0;
  std::string_view request_id;
  int64_t delta_nanos = 0;
  std::string_view reason;
  int64_t time_nanos = 0;
};

struct SessionEndedView {
  std::string_view tenant, session;
  int64_t time_nanos = 0;
};

struct TaskEndedView {
  std::string_view tenant, task;
  int64_t time_nanos = 0;
};

// For each of the views above:
//   EncodedBound(view): how many bytes Encode may write at most.
//   Encode(view, to): writes the message at `to`, which has room for EncodedBound(view); returns its end.
//   Decode(bytes, &view): replaces *view. False: not a valid message, or more than 16 line items or meters
//     or 8 own dimensions (*view is then unspecified). Unknown fields are skipped.
#define PURSER_LEDGER_DECLARE_CODEC(View)   \
  size_t EncodedBound(const View& view);    \
  char* Encode(const View& view, char* to); \
  bool Decode(std::string_view bytes, View* view)
PURSER_LEDGER_DECLARE_CODEC(RecordView);
PURSER_LEDGER_DECLARE_CODEC(DispatchedView);
PURSER_LEDGER_DECLARE_CODEC(VoidedView);
PURSER_LEDGER_DECLARE_CODEC(PresumedFinalView);
PURSER_LEDGER_DECLARE_CODEC(ToppedUpView);
PURSER_LEDGER_DECLARE_CODEC(PolicyLoadedView);
PURSER_LEDGER_DECLARE_CODEC(AdjustedView);
PURSER_LEDGER_DECLARE_CODEC(TaskEndedView);
PURSER_LEDGER_DECLARE_CODEC(SessionEndedView);
#undef PURSER_LEDGER_DECLARE_CODEC

// Decode but for line_items and meters, which are passed over unread: for sums that need neither.
bool DecodeWithoutLists(std::string_view bytes, RecordView* view);

// The bytes of a view in a buffer that is reused: allocates only while it grows. Not thread-safe; give each
// thread its own.
class Encoder {
 public:
  template <typename View>
  std::string_view operator()(const View& view) {
    char* to = Reserve(EncodedBound(view));
    return {to, static_cast<size_t>(Encode(view, to) - to)};
  }

 private:
  char* Reserve(size_t size) {
    if (size > size_) Grow(size);
    return buffer_.get();
  }
  void Grow(size_t size);

  std::unique_ptr<char[]> buffer_;
  size_t size_ = 0;
};

}  // namespace purser::ledger

#endif  // PURSER_ENGINE_LEDGER_RECORD_H_
