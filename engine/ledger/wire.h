#ifndef PURSER_ENGINE_LEDGER_WIRE_H_
#define PURSER_ENGINE_LEDGER_WIRE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

// Reads and writes the protobuf wire format (protobuf.dev/programming-guides/encoding) of plain structs,
// driven by a compile-time list of their fields. Private to record.cc.
namespace purser::ledger::wire {

// The message's field `number` is `View::*member`. Its C++ type says how it is stored: string_view as bytes,
// integers and enums as varints, float as fixed32, optionals as their value if present, InlineList as a
// repeated message.
template <int number, auto member>
struct Field {
  static constexpr int kNumber = number;
  static constexpr bool kZigZag = false;
  template <typename View>
  static auto& In(View& view) {
    return view.*member;
  }
};

// A sint64.
template <int number, auto member>
struct ZigZagField : Field<number, member> {
  static constexpr bool kZigZag = true;
};

template <typename... Fields>
struct FieldList {};

// Two lists as one, in the order of the numbers.
template <typename... A, typename... B>
auto Merge(FieldList<A...>, FieldList<B...>) {
  using All = std::tuple<A..., B...>;
  constexpr size_t kCount = sizeof...(A) + sizeof...(B);
  static constexpr std::array<size_t, kCount> kOrder = [] {
    constexpr std::array<int, kCount> kNumbers = {A::kNumber..., B::kNumber...};
    std::array<size_t, kCount> order{};
    for (size_t i = 0; i < kCount; ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return kNumbers[a] < kNumbers[b]; });
    return order;
  }();
  return []<size_t... i>(std::index_sequence<i...>) {
    return FieldList<std::tuple_element_t<kOrder[i], All>...>();
  }
  (std::make_index_sequence<kCount>());
}
template <typename A, typename B>
using Merged = decltype(Merge(A(), B()));

// Specialised per view: `using List = FieldList<...>`, in the order of the numbers, which are below 64.
template <typename View>
struct FieldsOf;

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

inline constexpr size_t kMaxTagBytes = 2;
inline constexpr size_t kMaxVarintBytes = 10;

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <typename T>
inline constexpr bool kIsVarint = std::is_integral_v<T> || std::is_enum_v<T>;
template <typename T>
inline constexpr bool kIsBytes = std::is_same_v<T, std::string_view>;

inline uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t UnZigZag(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1)); }

inline char* PutVarint(uint64_t value, char* to) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}

// nullptr: the bytes end within it, or it has more than ten.
inline const char* GetVarint(const char* from, const char* end, uint64_t* value) {
  if (from < end && static_cast<signed char>(*from) >= 0) [[likely]] {
    *value = static_cast<uint8_t>(*from);
    return from + 1;
  }
  uint64_t result = 0;
  for (int shift = 0; shift < 70 && from < end; shift += 7) {
    const uint64_t byte = static_cast<uint8_t>(*from++);
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return from;
    }
  }
  return nullptr;
}

template <int number, WireType type>
char* PutTag(char* to) {
  constexpr uint32_t tag = number << 3 | type;
  static_assert(number < 64);
  if constexpr (tag < 0x80) {
    *to++ = static_cast<char>(tag);
  } else {
    *to++ = static_cast<char>(tag | 0x80);
    *to++ = static_cast<char>(tag >> 7);
  }
  return to;
}

template <typename View, typename... Fields>
char* PutFields(const View& view, char* to, FieldList<Fields...>);
// `passed_over`: fields to skip, a bit each.
template <typename View, uint64_t passed_over = 0>
const char* GetFields(const char* from, const char* end, View* view);

template <typename F, typename T>
char* PutPresent(const T& value, char* to) {
  if constexpr (kIsBytes<T>) {
    to = PutVarint(value.size(), PutTag<F::kNumber, kBytes>(to));
    std::memcpy(to, value.data(), value.size());
    return to + value.size();
  } else if constexpr (std::is_same_v<T, float>) {
    to = PutTag<F::kNumber, kFixed32>(to);
    std::memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
  } else if constexpr (F::kZigZag) {
    return PutVarint(ZigZag(value), PutTag<F::kNumber, kVarint>(to));
  } else {
    // Negative int32s and enums are stored sign-extended.
    const auto wide = static_cast<std::conditional_t<std::is_unsigned_v<T>, uint64_t, int64_t>>(value);
    return PutVarint(static_cast<uint64_t>(wide), PutTag<F::kNumber, kVarint>(to));
  }
}

template <typename F, typename T>
char* PutField(const T& value, char* to) {
  if constexpr (IsOptional<T>::value) {
    return value ? PutPresent<F>(*value, to) : to;
  } else if constexpr (kIsBytes<T>) {
    return value.empty() ? to : PutPresent<F>(value, to);
  } else if constexpr (std::is_same_v<T, float>) {
    uint32_t bits;  // -0.0 is not the default.
    std::memcpy(&bits, &value, sizeof(bits));
    return bits == 0 ? to : PutPresent<F>(value, to);
  } else if constexpr (kIsVarint<T>) {
    return value == T{} ? to : PutPresent<F>(value, to);
  } else {
    for (const auto& element : value) {
      to = PutTag<F::kNumber, kBytes>(to);
      // A length of one byte is the rule; a longer message is moved to make room.
      using Element = std::remove_cvref_t<decltype(element)>;
      char* body_end = PutFields(element, to + 1, typename FieldsOf<Element>::List{});
      const size_t size = body_end - (to + 1);
      if (size < 0x80) {
        *to = static_cast<char>(size);
        to = body_end;
      } else {
        char length[kMaxVarintBytes];
        const size_t length_size = PutVarint(size, length) - length;
        std::memmove(to + length_size, to + 1, size);
        std::memcpy(to, length, length_size);
        to += length_size + size;
      }
    }
    return to;
  }
}

template <typename View, typename... Fields>
char* PutFields(const View& view, char* to, FieldList<Fields...>) {
  ((to = PutField<Fields>(Fields::In(view), to)), ...);
  return to;
}

template <typename View, typename... Fields>
size_t BoundOf(const View& view, FieldList<Fields...>);

template <typename F, typename T>
size_t FieldBound(const T& value) {
  if constexpr (kIsBytes<T>) {
    return kMaxTagBytes + kMaxVarintBytes + value.size();
  } else if constexpr (IsOptional<T>::value || std::is_same_v<T, float> || kIsVarint<T>) {
    return kMaxTagBytes + kMaxVarintBytes;
  } else {
    size_t bound = 0;
    for (const auto& element : value) {
      using Element = std::remove_cvref_t<decltype(element)>;
      bound += kMaxTagBytes + kMaxVarintBytes + BoundOf(element, typename FieldsOf<Element>::List{});
    }
    return bound;
  }
}

template <typename View, typename... Fields>
size_t BoundOf(const View& view, FieldList<Fields...>) {
  return (FieldBound<Fields>(Fields::In(view)) + ... + size_t{0});
}

// Reads one field's value into a view, given its wire type. nullptr: malformed.
template <typename View>
using Getter = const char* (*)(const char* from, const char* end, uint32_t wire_type, View* view);

inline const char* SkipValue(const char* from, const char* end, uint32_t wire_type) {
  uint64_t value;
  switch (wire_type) {
    case kVarint:
      return GetVarint(from, end, &value);
    case kFixed64:
      return end - from >= 8 ? from + 8 : nullptr;
    case kFixed32:
      return end - from >= 4 ? from + 4 : nullptr;
    case kBytes:
      from = GetVarint(from, end, &value);
      return from != nullptr && value <= static_cast<uint64_t>(end - from) ? from + value : nullptr;
    default:
      return nullptr;
  }
}

inline const char* GetBytes(const char* from, const char* end, std::string_view* value) {
  uint64_t size;
  from = GetVarint(from, end, &size);
  if (from == nullptr || size > static_cast<uint64_t>(end - from)) return nullptr;
  *value = {from, static_cast<size_t>(size)};
  return from + size;
}

template <typename F, typename View>
const char* GetField(const char* from, const char* end, uint32_t wire_type, View* view) {
  auto& field = F::In(*view);
  using T = std::remove_cvref_t<decltype(field)>;
  if constexpr (kIsBytes<T>) {
    return wire_type == kBytes ? GetBytes(from, end, &field) : SkipValue(from, end, wire_type);
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, std::optional<float>>) {
    if (wire_type != kFixed32) return SkipValue(from, end, wire_type);
    if (end - from < 4) return nullptr;
    float value;
    std::memcpy(&value, from, sizeof(value));
    field = value;
    return from + sizeof(value);
  } else if constexpr (kIsVarint<T> || IsOptional<T>::value) {
    if (wire_type != kVarint) return SkipValue(from, end, wire_type);
    uint64_t value;
    from = GetVarint(from, end, &value);
    if (from == nullptr) return nullptr;
    if constexpr (F::kZigZag) {
      field = UnZigZag(value);
    } else if constexpr (IsOptional<T>::value) {
      field = static_cast<typename T::value_type>(value);
    } else {
      field = static_cast<T>(value);
    }
    return from;
  } else {
    if (wire_type != kBytes) return SkipValue(from, end, wire_type);
    std::string_view bytes;
    from = GetBytes(from, end, &bytes);
    if (from == nullptr) return nullptr;
    std::remove_cvref_t<decltype(field[0])> element;
    if (GetFields(bytes.data(), bytes.data() + bytes.size(), &element) == nullptr) return nullptr;
    return field.push_back(element) ? from : nullptr;
  }
}

template <typename View, typename... Fields>
constexpr std::array<Getter<View>, 64> GettersOf(FieldList<Fields...>) {
  std::array<Getter<View>, 64> getters{};
  ((getters[Fields::kNumber] = &GetField<Fields, View>), ...);
  return getters;
}

template <typename View, uint64_t passed_over>
const char* GetFields(const char* from, const char* end, View* view) {
  static constexpr std::array<Getter<View>, 64> kGetters = [] {
    auto getters = GettersOf<View>(typename FieldsOf<View>::List{});
    for (size_t i = 0; i < getters.size(); ++i) {
      if ((passed_over >> i & 1) != 0) getters[i] = nullptr;
    }
    return getters;
  }();
  while (from < end) {
    uint64_t tag;
    from = GetVarint(from, end, &tag);
    if (from == nullptr || tag >> 3 == 0 || tag >> 32 != 0) return nullptr;
    const uint64_t number = tag >> 3;
    const uint32_t wire_type = tag & 7;
    const Getter<View> getter = number < 64 ? kGetters[number] : nullptr;
    from = getter != nullptr ? getter(from, end, wire_type, view) : SkipValue(from, end, wire_type);
    if (from == nullptr) return nullptr;
  }
  return from;
}

}  // namespace purser::ledger::wire

#endif  // PURSER_ENGINE_LEDGER_WIRE_H_
