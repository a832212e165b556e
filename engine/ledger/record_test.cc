#include "engine/ledger/record.h"

#include <random>
#include <string>
#include <vector>

#include "google/protobuf/reflection.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"

namespace purser::ledger {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Fills a message with random values, edge values among them, through reflection: fields that are added to
// record.proto and forgotten in the views are noticed.
class Filler {
 public:
  explicit Filler(uint64_t seed) : random_(seed) {}

  void Fill(Message* message) {
    const auto* reflection = message->GetReflection();
    for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = message->GetDescriptor()->field(i);
      if (field->is_repeated()) {
        const size_t most = field->name() == "own_dimensions" ? kMaxOwnDimensions : 16;
        for (int n = static_cast<int>(random_() % (most + 1)) * Coin(); n > 0; --n) {
          Fill(reflection->AddMessage(message, field));
        }
      } else if (Coin()) {
        Set(message, reflection, field);
      }
    }
  }

 private:
  int Coin() { return static_cast<int>(random_() & 1); }
  int64_t Number() {
    static constexpr int64_t kEdges[] = {0, 1, 127, 128, 16383, 16384, -1, INT64_MAX, INT64_MIN};
    return Coin() ? kEdges[random_() % std::size(kEdges)]
                  : static_cast<int64_t>(random_() >> (random_() % 64));
  }
  std::string Text(bool any_byte) {
    std::string text(random_() % (Coin() ? 20 : 300), 'a');
    for (char& c : text)
      c = any_byte ? static_cast<char>(random_()) : static_cast<char>('a' + random_() % 26);
    return text;
  }
  void Set(Message* message, const google::protobuf::Reflection* reflection, const FieldDescriptor* field) {
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection->SetInt64(message, field, Number());
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection->SetUInt64(message, field, static_cast<uint64_t>(Number()));
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection->SetInt32(message, field, static_cast<int32_t>(Number()));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection->SetUInt32(message, field, static_cast<uint32_t>(Number()));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return reflection->SetFloat(message, field, static_cast<float>(Number()) / 1000);
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection->SetEnumValue(message, field, static_cast<int>(random_() % 6));
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection->SetString(message, field, Text(field->type() == FieldDescriptor::TYPE_BYTES));
      default:
        FAIL() << field->full_name() << " has a type that the views do not know";
    }
  }

  std::mt19937_64 random_;
};

template <typename View, typename Proto>
void ExpectTwins(uint64_t seed) {
  Proto message;
  Filler(seed).Fill(&message);
  const std::string bytes = message.SerializeAsString();
  View view;
  ASSERT_TRUE(Decode(bytes, &view)) << message.ShortDebugString();
  Encoder encoder;
  const std::string again(encoder(view));
  EXPECT_EQ(again, bytes) << message.ShortDebugString();
  EXPECT_LE(again.size(), EncodedBound(view));

  // Every cut is read without reading beyond it, and agrees with protobuf about what is a message.
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 64) {
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    Proto parsed;
    EXPECT_EQ(Decode({cut.data(), cut.size()}, &view),
              parsed.ParseFromArray(cut.data(), static_cast<int>(size)));
  }
}

TEST(RecordTest, ViewsAreTwinsOfTheGeneratedMessages) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    ExpectTwins<RecordView, Record>(seed);
    ExpectTwins<DispatchedView, Dispatched>(seed);
    ExpectTwins<VoidedView, Voided>(seed);
    ExpectTwins<PresumedFinalView, PresumedFinal>(seed);
    ExpectTwins<ToppedUpView, ToppedUp>(seed);
    ExpectTwins<PolicyLoadedView, PolicyLoaded>(seed);
    ExpectTwins<AdjustedView, Adjusted>(seed);
    ExpectTwins<TaskEndedView, TaskEnded>(seed);
    ExpectTwins<SessionEndedView, SessionEnded>(seed);
  }
}

TEST(RecordTest, DimensionsHaveTheNamesAndNumbersOfTheMessages) {
  for (const RequestDimension& dimension : kRequestDimensions) {
    const std::string name(dimension.name);
    const FieldDescriptor* of_record = Record::descriptor()->FindFieldByName(name);
    const FieldDescriptor* of_dispatched = Dispatched::descriptor()->FindFieldByName(name);
    ASSERT_TRUE(of_record != nullptr && of_dispatched != nullptr) << name;
    EXPECT_EQ(of_record->number(), dimension.record_field) << name;
    EXPECT_EQ(of_dispatched->number(), dimension.dispatched_field) << name;
  }
}

TEST(RecordTest, RandomBytesAreReadOrRefusedAsProtobufDoes) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    Record message;
    Filler(static_cast<uint64_t>(i)).Fill(&message);
    std::string bytes = message.SerializeAsString().substr(0, 400);
    for (int flips = static_cast<int>(random() % 4); flips >= 0 && !bytes.empty(); --flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    RecordView view;
    const bool read = Decode(bytes, &view);
    Record parsed;
    // protobuf knows groups, checks names to be UTF-8 and has room for more than 16 line items; otherwise the
    // two agree.
    if (read && parsed.ParseFromString(bytes)) {
      EXPECT_EQ(parsed.request_id(), view.request_id);
      EXPECT_EQ(parsed.cost_nanos(), view.cost_nanos);
      EXPECT_EQ(parsed.line_items_size(), static_cast<int>(view.line_items.size()));
      EXPECT_EQ(parsed.has_revenue_nanos(), view.revenue_nanos.has_value());
      EXPECT_EQ(parsed.revenue_nanos(), view.revenue_nanos.value_or(0));
    }
  }
}

TEST(RecordTest, UnknownFieldsAreSkipped) {
  Record message;
  message.set_customer("acme");
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(1000, 5);
  message.GetReflection()->MutableUnknownFields(&message)->AddFixed64(60, 5);
  message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(61, "later");
  const std::string bytes = message.SerializeAsString();
  RecordView view;
  ASSERT_TRUE(Decode(bytes, &view));
  EXPECT_EQ(view.customer, "acme");
}

TEST(RecordTest, MoreLineItemsThanFitAreRefused) {
  Record message;
  for (int i = 0; i < 16; ++i) message.add_line_items()->set_cost_nanos(1);
  RecordView view;
  EXPECT_TRUE(Decode(message.SerializeAsString(), &view));
  message.add_line_items()->set_cost_nanos(1);
  EXPECT_FALSE(Decode(message.SerializeAsString(), &view));
}

TEST(RecordTest, MoreOwnDimensionsThanFitAreRefused) {
  Record message;
  for (size_t i = 0; i < kMaxOwnDimensions; ++i) message.add_own_dimensions()->set_name("a");
  RecordView view;
  EXPECT_TRUE(Decode(message.SerializeAsString(), &view));
  message.add_own_dimensions()->set_name("a");
  EXPECT_FALSE(Decode(message.SerializeAsString(), &view));
}

TEST(RecordTest, AbsentAndZeroRevenueDiffer) {
  RecordView view, read;
  Encoder encoder;
  ASSERT_TRUE(Decode(std::string(encoder(view)), &read));
  EXPECT_FALSE(read.revenue_nanos.has_value());
  view.revenue_nanos = 0;
  const std::string bytes(encoder(view));
  ASSERT_TRUE(Decode(bytes, &read));
  EXPECT_EQ(read.revenue_nanos, 0);
}

}  // namespace
}  // namespace purser::ledger
