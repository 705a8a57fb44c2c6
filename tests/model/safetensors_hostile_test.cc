// What the safetensors reader refuses, and why.

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/safetensors.h"
#include "tests/model/safetensors_bytes.h"

namespace groupmamba {
namespace {

using testing::BytesOf;
using testing::Entry;
using testing::FileOf;
using ::testing::HasSubstr;

struct Fault {
  const char* name;
  std::vector<uint8_t> bytes;
  const char* says;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class SafetensorsFault : public ::testing::TestWithParam<Fault> {};

TEST_P(SafetensorsFault, IsRefusedWithItsReason) {
  const auto file = SafetensorsFile::Parse(GetParam().bytes);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(GetParam().says));
}

// The fault is in the first eight bytes or in how much follows them.
const Fault kFramingFaults[] = {
    {"Empty", {}, "too short for a header"},
    {"SevenBytes", std::vector<uint8_t>(7), "too short for a header"},
    {"NoHeader", std::vector<uint8_t>(8), "does not begin with {"},
    {"HeaderPastTheEnd",
     {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'},
     "longer than the file"},
    {"HeaderOverItsCap",
     {0, 0, 0, 2, 0, 0, 0, 0, '{', '}'},
     "a header of more than 16777216 bytes"},
    {"HeaderOf2To64", std::vector<uint8_t>(100, 0xff), "not safetensors"},
    {"Pickle", BytesOf("\x80\x02}q\x01(X\x05\x00\x00\x00modelq\x02"),
     "not safetensors"},
    {"ZippedPickle", BytesOf("PK\x03\x04\x14\x08\x08\x08 archive/data.pkl"),
     "not safetensors"},
};

INSTANTIATE_TEST_SUITE_P(Framing, SafetensorsFault,
                         ::testing::ValuesIn(kFramingFaults),
                         [](const auto& info) { return info.param.name; });

const Fault kJsonFaults[] = {
    {"LeadingSpace", FileOf(" {}", 0), "does not begin with {"},
    {"List", FileOf("[]", 0), "does not begin with {"},
    {"CutOff", FileOf("{\"a\":", 0), "no valid JSON"},
    {"TextBehind", FileOf("{}{}", 0), "no valid JSON"},
    {"BadUtf8", FileOf("{\"\xc3(\":1}", 0), "no valid JSON"},
    {"TensorTwice",
     FileOf(absl::StrCat("{", Entry("a", "U8", "[1]", "[0,1]"), ",",
                         Entry("a", "U8", "[1]", "[1,2]"), "}"),
            2),
     "the key \"a\" twice"},
    {"TensorTwiceByEscape",
     FileOf(absl::StrCat("{", Entry("a", "U8", "[1]", "[0,1]"), ",",
                         Entry("\\u0061", "U8", "[1]", "[1,2]"), "}"),
            2),
     "the key \"a\" twice"},
    {"KeyTwiceInATensor",
     FileOf(R"({"a":{"dtype":"U8","shape":[1],"shape":[1],)"
            R"("data_offsets":[0,1]}})",
            1),
     "the key \"shape\" twice"},
    {"Deep", FileOf("{\"a\":[[[[", 0), "more than 3 levels"},
    {"VeryDeep", FileOf("{\"a\":" + std::string(1'000'000, '['), 0),
     "more than 3 levels"},
    {"ManyValues",
     FileOf(
         "{\"a\":[0" +
             [] {
               std::string zeros;
               for (int i = 0; i < 300'000; ++i) zeros += ",0";
               return zeros;
             }() +
             "]}",
         0),
     "values"},
    {"MetadataNotAnObject", FileOf(R"({"__metadata__":"x"})", 0),
     "__metadata__ is not an object"},
    {"MetadataNotAString", FileOf(R"({"__metadata__":{"seed":1}})", 0),
     "key \"seed\" is not a string"},
};

INSTANTIATE_TEST_SUITE_P(Json, SafetensorsFault,
                         ::testing::ValuesIn(kJsonFaults),
                         [](const auto& info) { return info.param.name; });

Fault EntryFault(const char* name, const char* dtype, const char* shape,
                 const char* offsets, size_t data_bytes, const char* says) {
  return {name,
          FileOf("{" + Entry("a", dtype, shape, offsets) + "}", data_bytes),
          says};
}

const Fault kEntryFaults[] = {
    {"NotAnObject", FileOf("{\"a\":1}", 0),
     "tensor \"a\": must have dtype, shape, data_offsets"},
    {"NoDtype", FileOf(R"({"a":{"shape":[],"data_offsets":[0,0]}})", 0),
     "must have dtype"},
    {"SurplusKey",
     FileOf(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":0}})",
            1),
     "nothing else"},
    {"DtypeANumber",
     FileOf(R"({"a":{"dtype":1,"shape":[1],"data_offsets":[0,1]}})", 1),
     "unknown dtype"},
    EntryFault("UnknownDtype", "F31", "[1]", "[0,4]", 4, "unknown dtype"),
    EntryFault("LowerCaseDtype", "f32", "[1]", "[0,4]", 4, "unknown dtype"),
    EntryFault("ShapeANumber", "F32", "1", "[0,4]", 4, "shape that is not"),
    EntryFault("NegativeDimension", "F32", "[-1]", "[0,4]", 4,
               "dimension that is not a whole number"),
    EntryFault("MinusZero", "F32", "[-0]", "[0,0]", 0,
               "dimension that is not a whole number"),
    EntryFault("FractionalDimension", "F32", "[1.0]", "[0,4]", 4,
               "dimension that is not a whole number"),
    EntryFault("DimensionAString", "F32", "[\"1\"]", "[0,4]", 4,
               "dimension that is not a whole number"),
    EntryFault("DimensionTrue", "U8", "[true]", "[0,1]", 1,
               "dimension that is not a whole number"),
    EntryFault("DimensionOf2To63", "U8", "[9223372036854775808]", "[0,1]", 1,
               "dimension that is not a whole number"),
    EntryFault("DimensionOf2To64", "U8", "[18446744073709551616]", "[0,1]", 1,
               "dimension that is not a whole number"),
    EntryFault("NineDimensions", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]", 1,
               "more than 8 dimensions"),
    EntryFault("ProductOverflows", "U8", "[4294967296,4294967296]", "[0,0]", 0,
               "more than 2^63 bytes"),
    EntryFault("BytesOverflow", "F64", "[2305843009213693952]", "[0,0]", 0,
               "more than 2^63 bytes"),
    EntryFault("OverflowToAFit", "F32", "[4611686018427387905]", "[0,4]", 4,
               "more than 2^63 bytes"),
    EntryFault("NoElements", "F32", "[0]", "[0,0]", 0, "has no elements"),
    EntryFault("OffsetsANumber", "U8", "[1]", "1", 1, "two whole numbers"),
    EntryFault("OneOffset", "U8", "[1]", "[0]", 1, "two whole numbers"),
    EntryFault("ThreeOffsets", "U8", "[1]", "[0,1,1]", 1, "two whole numbers"),
    EntryFault("NegativeOffset", "U8", "[1]", "[-1,0]", 1, "two whole numbers"),
    EntryFault("FractionalOffset", "U8", "[1]", "[0,1.0]", 1,
               "two whole numbers"),
    EntryFault("EndBeforeBegin", "U8", "[1]", "[1,0]", 1,
               "ends before it begins"),
    EntryFault("BeyondTheEnd", "U8", "[2]", "[0,2]", 1,
               "reaches to byte 2 of 1"),
    EntryFault("FarBeyondTheEnd", "U8", "[1]",
               "[9223372036854775806,9223372036854775807]", 1, "reaches"),
    EntryFault("FewerBytesThanItsShape", "F32", "[2]", "[0,4]", 4,
               "has 4 bytes; its shape needs 8"),
    EntryFault("MoreBytesThanItsShape", "F32", "[1]", "[0,8]", 8,
               "has 8 bytes; its shape needs 4"),
    EntryFault("ScalarOfTwo", "F32", "[]", "[0,8]", 8, "its shape needs 4"),
};

INSTANTIATE_TEST_SUITE_P(Entries, SafetensorsFault,
                         ::testing::ValuesIn(kEntryFaults),
                         [](const auto& info) { return info.param.name; });

Fault PairFault(const char* name, const char* first, const char* second,
                size_t data_bytes, const char* says) {
  return {name,
          FileOf(absl::StrCat("{", Entry("a", "U8", "[4]", first), ",",
                              Entry("b", "U8", "[4]", second), "}"),
                 data_bytes),
          says};
}

const Fault kLayoutFaults[] = {
    PairFault("Overlap", "[0,4]", "[3,7]", 7, "tensor \"b\": overlaps another"),
    PairFault("SameBytes", "[0,4]", "[0,4]", 4, "overlaps another"),
    PairFault("HoleBetween", "[0,4]", "[5,9]", 9, "unused bytes before it"),
    PairFault("HoleAtTheBeginning", "[1,5]", "[5,9]", 9,
              "tensor \"a\": has unused bytes before it"),
    PairFault("BytesBehind", "[0,4]", "[4,8]", 9,
              "unused bytes after the last tensor"),
    {"BytesWithoutTensors", FileOf("{}", 1), "unused bytes"},
    {"EmptyTensorInAnother",
     FileOf(absl::StrCat("{", Entry("a", "U8", "[4]", "[0,4]"), ",",
                         Entry("b", "U8", "[0]", "[2,2]"), "}"),
            4),
     "tensor \"b\": has no elements"},
};

INSTANTIATE_TEST_SUITE_P(Layout, SafetensorsFault,
                         ::testing::ValuesIn(kLayoutFaults),
                         [](const auto& info) { return info.param.name; });

// Every cut of a good file is refused, whatever part it ends in.
TEST(SafetensorsParse, EveryPrefixIsRefused) {
  const auto bytes =
      FileOf(absl::StrCat("{", Entry("a", "U8", "[4]", "[0,4]"), ",",
                          Entry("b", "F32", "[2]", "[4,12]"), "}"),
             12);
  ASSERT_TRUE(SafetensorsFile::Parse(bytes).ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<uint8_t> prefix(bytes.begin(), bytes.begin() + size);
    EXPECT_FALSE(SafetensorsFile::Parse(prefix).ok()) << size;
  }
}

TEST(SafetensorsLimits, TensorsAreCounted) {
  std::string header = "{\"__metadata__\":{}";
  for (int i = 0; i < 3; ++i) {
    absl::StrAppend(&header, ",",
                    Entry(absl::StrCat("t", i), "U8", "[1]",
                          absl::StrCat("[", i, ",", i + 1, "]")));
  }
  const auto bytes = FileOf(header + "}", 3);
  EXPECT_TRUE(SafetensorsFile::Parse(bytes, {.max_tensors = 3}).ok());
  const auto refused = SafetensorsFile::Parse(bytes, {.max_tensors = 2});
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("more than 2 tensors"));
}

TEST(SafetensorsLimits, AHundredThousandTensorsAreRefusedByDefault) {
  std::string header = "{";
  for (int i = 0; i < 100'000; ++i) {
    absl::StrAppend(&header, i == 0 ? "" : ",",
                    Entry(absl::StrCat("t", i), "U8", "[1]",
                          absl::StrCat("[", i, ",", i + 1, "]")));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(
      SafetensorsFile::Parse(FileOf(header + "}", 100'000)).status()));
}

TEST(SafetensorsLimits, FileAndHeaderSizesAreCapped) {
  const auto bytes = FileOf("{" + Entry("a", "U8", "[4]", "[0,4]") + "}", 4);
  const auto size = static_cast<int64_t>(bytes.size());
  EXPECT_TRUE(SafetensorsFile::Parse(bytes, {.max_file_bytes = size,
                                             .max_header_bytes = size - 12})
                  .ok());
  EXPECT_FALSE(
      SafetensorsFile::Parse(bytes, {.max_file_bytes = size - 1}).ok());
  EXPECT_FALSE(
      SafetensorsFile::Parse(bytes, {.max_header_bytes = size - 13}).ok());
}

}  // namespace
}  // namespace groupmamba
