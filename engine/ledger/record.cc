#include "engine/ledger/record.h"

#include <utility>

#include "engine/ledger/wire.h"

namespace purser::ledger {
namespace wire {

// The fields of record.proto, by number. Those of the dimensions are the table's.
template <size_t... rows>
FieldList<Field<kRequestDimensions[rows].record_field, kRequestDimensions[rows].member>...> RecordDimensions(
    std::index_sequence<rows...>);
template <size_t... rows>
FieldList<Field<kRequestDimensions[rows].dispatched_field, kRequestDimensions[rows].member>...>
    DispatchedDimensions(std::index_sequence<rows...>);
using Rows = std::make_index_sequence<kRequestDimensionCount>;

template <>
struct FieldsOf<LineItemView> {
  using List = FieldList<Field<1, &LineItemView::category>, Field<2, &LineItemView::meter>,
                         Field<3, &LineItemView::quantity>, Field<4, &LineItemView::price_nanos>,
                         Field<5, &LineItemView::price_unit>, Field<6, &LineItemView::cost_nanos>>;
};

template <>
struct FieldsOf<MeterCountView> {
  using List = FieldList<Field<1, &MeterCountView::meter>, Field<2, &MeterCountView::quantity>>;
};

template <>
struct FieldsOf<OwnDimensionView> {
  using List = FieldList<Field<1, &OwnDimensionView::name>, Field<2, &OwnDimensionView::value>>;
};

template <>
struct FieldsOf<RecordView> {
  using List = Merged<
      decltype(RecordDimensions(Rows())),
      FieldList<
          Field<1, &RecordView::request_id>, Field<2, &RecordView::time_nanos>,
          Field<9, &RecordView::provider>, Field<10, &RecordView::model>,
          Field<11, &RecordView::input_tokens>, Field<12, &RecordView::output_tokens>,
          Field<13, &RecordView::cost_nanos>, Field<14, &RecordView::estimated_nanos>,
          Field<15, &RecordView::held_nanos>, Field<16, &RecordView::ticket>,
          Field<19, &RecordView::request_class>, Field<22, &RecordView::region>, Field<23, &RecordView::step>,
          Field<24, &RecordView::attempt>, Field<25, &RecordView::model_asked>,
          Field<26, &RecordView::candidate>, Field<27, &RecordView::service_tier>,
          Field<28, &RecordView::policy_revision>, Field<29, &RecordView::price_revision>,
          Field<30, &RecordView::flags>, Field<31, &RecordView::cached_input_tokens>,
          Field<32, &RecordView::cache_write_tokens>, Field<33, &RecordView::reasoning_tokens>,
          Field<34, &RecordView::meters>, Field<35, &RecordView::estimated_input_tokens>,
          Field<36, &RecordView::estimated_output_tokens>, Field<37, &RecordView::cache_hit>,
          Field<38, &RecordView::similarity>, Field<39, &RecordView::settled_nanos>,
          Field<40, &RecordView::latency_us>, Field<41, &RecordView::first_token_us>,
          Field<42, &RecordView::line_items>, Field<43, &RecordView::default_cost_nanos>,
          Field<44, &RecordView::best_constant_nanos>, ZigZagField<45, &RecordView::saved_routing_nanos>,
          ZigZagField<46, &RecordView::saved_cache_nanos>,
          ZigZagField<47, &RecordView::saved_prompt_cache_nanos>,
          ZigZagField<48, &RecordView::saved_clamp_nanos>, ZigZagField<49, &RecordView::saved_batch_nanos>,
          Field<50, &RecordView::outcome>, Field<51, &RecordView::quality>,
          Field<52, &RecordView::revenue_nanos>, Field<54, &RecordView::own_dimensions>,
          Field<55, &RecordView::counted_nanos>, Field<56, &RecordView::counted_tokens>,
          Field<57, &RecordView::counted_output_tokens>>>;
};

template <>
struct FieldsOf<DispatchedView> {
  using List = Merged<
      decltype(DispatchedDimensions(Rows())),
      FieldList<Field<1, &DispatchedView::ticket>, Field<2, &DispatchedView::request_id>,
                Field<3, &DispatchedView::time_nanos>, Field<10, &DispatchedView::provider>,
                Field<11, &DispatchedView::model>, Field<12, &DispatchedView::candidate>,
                Field<13, &DispatchedView::held_nanos>, Field<14, &DispatchedView::held_input_tokens>,
                Field<15, &DispatchedView::held_output_tokens>, Field<20, &DispatchedView::request_class>,
                Field<21, &DispatchedView::step>, Field<22, &DispatchedView::attempt>,
                Field<23, &DispatchedView::expires_nanos>, Field<24, &DispatchedView::policy_revision>,
                Field<25, &DispatchedView::price_revision>, Field<28, &DispatchedView::estimated_nanos>,
                Field<29, &DispatchedView::model_asked>, Field<31, &DispatchedView::own_dimensions>>>;
};

template <>
struct FieldsOf<VoidedView> {
  using List = FieldList<Field<1, &VoidedView::ticket>, Field<2, &VoidedView::time_nanos>>;
};

template <>
struct FieldsOf<PresumedFinalView> {
  using List = FieldList<Field<1, &PresumedFinalView::ticket>, Field<2, &PresumedFinalView::time_nanos>>;
};

template <>
struct FieldsOf<ToppedUpView> {
  using List = FieldList<Field<1, &ToppedUpView::budget>, Field<2, &ToppedUpView::key>,
                         Field<3, &ToppedUpView::amount_nanos>, Field<4, &ToppedUpView::tokens>,
                         Field<6, &ToppedUpView::until_nanos>, Field<7, &ToppedUpView::time_nanos>,
                         Field<8, &ToppedUpView::reason>>;
};

template <>
struct FieldsOf<PolicyLoadedView> {
  using List = FieldList<Field<1, &PolicyLoadedView::name>, Field<2, &PolicyLoadedView::policy_revision>,
                         Field<3, &PolicyLoadedView::price_revision>, Field<4, &PolicyLoadedView::time_nanos>,
                         Field<5, &PolicyLoadedView::purser_version>, Field<6, &PolicyLoadedView::budgets>>;
};

template <>
struct FieldsOf<AdjustedView> {
  using List = FieldList<Field<1, &AdjustedView::ticket>, Field<2, &AdjustedView::request_id>,
                         ZigZagField<3, &AdjustedView::delta_nanos>, Field<4, &AdjustedView::reason>,
                         Field<5, &AdjustedView::time_nanos>>;
};

template <>
struct FieldsOf<SessionEndedView> {
  using List = FieldList<Field<1, &SessionEndedView::tenant>, Field<2, &SessionEndedView::session>,
                         Field<3, &SessionEndedView::time_nanos>>;
};
template <>
struct FieldsOf<TaskEndedView> {
  using List = FieldList<Field<1, &TaskEndedView::tenant>, Field<2, &TaskEndedView::task>,
                         Field<4, &TaskEndedView::time_nanos>>;
};

}  // namespace wire

#define PURSER_LEDGER_DEFINE_CODEC(View)                                                                 \
  size_t EncodedBound(const View& view) { return wire::BoundOf(view, wire::FieldsOf<View>::List{}); }    \
  char* Encode(const View& view, char* to) {                                                             \
    return wire::PutFields(view, to, wire::FieldsOf<View>::List{});                                      \
  }                                                                                                      \
  bool Decode(std::string_view bytes, View* view) {                                                      \
    *view = View{};                                                                                      \
    return bytes.empty() || wire::GetFields(bytes.data(), bytes.data() + bytes.size(), view) != nullptr; \
  }
PURSER_LEDGER_DEFINE_CODEC(RecordView)
PURSER_LEDGER_DEFINE_CODEC(DispatchedView)
PURSER_LEDGER_DEFINE_CODEC(VoidedView)
PURSER_LEDGER_DEFINE_CODEC(PresumedFinalView)
PURSER_LEDGER_DEFINE_CODEC(ToppedUpView)
PURSER_LEDGER_DEFINE_CODEC(PolicyLoadedView)
PURSER_LEDGER_DEFINE_CODEC(AdjustedView)
PURSER_LEDGER_DEFINE_CODEC(TaskEndedView)
PURSER_LEDGER_DEFINE_CODEC(SessionEndedView)
#undef PURSER_LEDGER_DEFINE_CODEC

bool DecodeWithoutLists(std::string_view bytes, RecordView* view) {
  constexpr uint64_t kLists = uint64_t{1} << 34 | uint64_t{1} << 42;  // meters, line_items
  *view = RecordView{};
  return bytes.empty() ||
         wire::GetFields<RecordView, kLists>(bytes.data(), bytes.data() + bytes.size(), view) != nullptr;
}

void Encoder::Grow(size_t size) {
  size_ = size + size / 2;
  buffer_ = std::make_unique_for_overwrite<char[]>(size_);
}

}  // namespace purser::ledger
