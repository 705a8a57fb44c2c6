#include "model/safetensors.h"

#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/sha256.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;
using testing::ReadFileForTest;
using testing::TempDir;

using Shape = std::vector<int64_t>;
using Tensors = std::map<std::string, TensorBytes>;

std::vector<uint8_t> BytesOf(const std::string& text) {
  return std::vector<uint8_t>(text.begin(), text.end());
}

// A file with the given header and so many data bytes, all 0.
std::vector<uint8_t> FileOf(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string text(sizeof(length), '\0');
  std::memcpy(text.data(), &length, sizeof(length));
  return BytesOf(text + header + std::string(data_bytes, '\0'));
}

std::string Entry(const std::string& name, const std::string& dtype,
                  const std::string& shape, const std::string& offsets) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype,
                      "\",\"shape\":", shape, ",\"data_offsets\":", offsets,
                      "}");
}

TEST(SafetensorsParse, ReadsTensorsAndMetadata) {
  const auto file = SafetensorsFile::Parse(
      FileOf(absl::StrCat(R"({"__metadata__":{"seed":"1"},)",
                          Entry("b", "F32", "[2,1]", "[8,16]"), ",",
                          Entry("a", "I64", "[]", "[0,8]"), "}  "),
             16));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->tensors().size(), 2u);
  const TensorBytes& a = file->tensors().at("a");
  const TensorBytes& b = file->tensors().at("b");
  EXPECT_EQ(a.dtype, DType::kI64);
  EXPECT_EQ(a.shape, Shape());
  EXPECT_EQ(b.dtype, DType::kF32);
  EXPECT_EQ(b.shape, Shape({2, 1}));
  EXPECT_EQ(b.bytes.size(), 8u);
  EXPECT_EQ(b.bytes.data(), a.bytes.data() + 8);
  EXPECT_EQ(file->metadata().at("seed"), "1");
}

TEST(SafetensorsParse, AcceptsAFileWithoutTensors) {
  const auto file = SafetensorsFile::Parse(FileOf("{}", 0));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->tensors().empty());
}

TEST(SafetensorsParse, TensorsStayValidWhenTheFileMoves) {
  auto bytes = FileOf("{" + Entry("a", "U8", "[1]", "[0,1]") + "}", 1);
  bytes.back() = 42;
  auto file = SafetensorsFile::Parse(std::move(bytes));
  ASSERT_TRUE(file.ok());
  const SafetensorsFile moved = *std::move(file);
  EXPECT_EQ(moved.tensors().at("a").bytes[0], 42);
}

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

TEST(SafetensorsRead, GoldenFileOfAnotherWriter) {
  const auto file = SafetensorsFile::Read(
      absl::StrCat(GM_SOURCE_DIR, "/tests/data/golden/tiny.safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata().at("seed"), "1");
  EXPECT_EQ(file->tensors().at("logits").shape, Shape({2, 1000}));
  EXPECT_TRUE(AllFinite(file->tensors().at("logits")));
}

TEST(SafetensorsRead, MissingFileIsNotFound) {
  const TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(
      SafetensorsFile::Read(dir.Path("none.safetensors")).status()));
}

TEST(SafetensorsRead, ErrorsNameTheFile) {
  const TempDir dir;
  const std::string path = dir.Write("model.safetensors", "12345678[]");
  EXPECT_THAT(std::string(SafetensorsFile::Read(path).status().message()),
              HasSubstr(path));
}

class WriteSafetensorsTest : public ::testing::Test {
 protected:
  Tensors Sample() const {
    return {{"weight", ViewOf(floats_, {2, 3})},
            {"half", {DType::kBF16, {3}, absl::MakeConstSpan(bytes_, 6)}},
            {"count", {DType::kI64, {}, absl::MakeConstSpan(bytes_, 8)}},
            {"flag", {DType::kBool, {1, 1}, absl::MakeConstSpan(bytes_, 1)}}};
  }

  size_t FilesInFolder() const {
    const std::filesystem::directory_iterator entries(dir_.path());
    return std::distance(begin(entries), end(entries));
  }

  const TempDir dir_;
  const std::string path_ = dir_.Path("model.safetensors");
  const std::vector<float> floats_ = {1, -2, 0.5f, 1e-30f, 3e38f, -0.0f};
  const uint8_t bytes_[8] = {1, 2, 3, 4, 5, 6, 7, 8};
};

TEST_F(WriteSafetensorsTest, WhatIsWrittenIsReadBack) {
  const auto hash = WriteSafetensors(path_, Sample(), {{"by", "a \"test\"\n"}});
  ASSERT_TRUE(hash.ok()) << hash.status();
  const auto file = SafetensorsFile::Read(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Sha256(), *hash);
  EXPECT_EQ(file->metadata().at("by"), "a \"test\"\n");
  ASSERT_EQ(file->tensors().size(), Sample().size());
  for (const auto& [name, tensor] : Sample()) {
    const TensorBytes& read = file->tensors().at(name);
    EXPECT_EQ(read.dtype, tensor.dtype) << name;
    EXPECT_EQ(read.shape, tensor.shape) << name;
    EXPECT_EQ(read.bytes, tensor.bytes) << name;
    const auto place = reinterpret_cast<uintptr_t>(read.bytes.data());
    EXPECT_EQ(place % DTypeSize(read.dtype), 0u) << name << " is not aligned";
  }
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST_F(WriteSafetensorsTest, SameTensorsMakeTheSameFile) {
  const auto first = WriteSafetensors(path_, Sample(), {});
  const auto second = WriteSafetensors(dir_.Path("other"), Sample(), {});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
}

TEST_F(WriteSafetensorsTest, RefusesWhatTheReaderWouldRefuse) {
  const TensorBytes one = ViewOf(absl::MakeConstSpan(floats_).first(1), {1});
  const std::pair<std::string, Tensors> faults[] = {
      {"has 4 bytes; its shape needs 8",
       {{"a", ViewOf(absl::MakeConstSpan(floats_).first(1), {2})}}},
      {"has no elements", {{"a", ViewOf({}, {0})}}},
      {"forbids", {{"__metadata__", one}}},
      {"forbids", {{"bad \xff name", one}}}};
  for (const auto& [says, tensors] : faults) {
    const auto hash = WriteSafetensors(path_, tensors, {});
    EXPECT_TRUE(absl::IsInvalidArgument(hash.status())) << says;
    EXPECT_THAT(std::string(hash.status().message()), HasSubstr(says));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(
      WriteSafetensors(path_, {{"a", one}}, {{"\xff", ""}}).status()));
  EXPECT_EQ(FilesInFolder(), 0u);
}

// The kernel refuses to let a file grow past RLIMIT_FSIZE: a full disk, in
// effect.
TEST_F(WriteSafetensorsTest, FailureLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(WriteSafetensors(path_, Sample(), {}).ok());
  const std::string before = ReadFileForTest(path_);
  const std::vector<float> large(1 << 16);

  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {.rlim_cur = 4096, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto hash =
      WriteSafetensors(path_, {{"large", ViewOf(large, {1 << 16})}}, {});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);

  EXPECT_FALSE(hash.ok());
  EXPECT_EQ(ReadFileForTest(path_), before);
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST(AllFinite, FindsEveryKindOfNoNumberInEveryPlace) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (size_t place = 0; place < 5; ++place) {
      std::vector<float> values(5, std::numeric_limits<float>::max());
      EXPECT_TRUE(AllFinite(ViewOf(values, {5})));
      values[place] = bad;
      EXPECT_FALSE(AllFinite(ViewOf(values, {5}))) << bad << " at " << place;
    }
  }
}

TEST(AllFinite, KnowsTheExponentOfEveryFloatType) {
  struct Case {
    DType dtype;
    std::vector<uint8_t> largest, infinity;  // little-endian
  };
  const Case cases[] = {
      {DType::kF16, {0xff, 0x7b}, {0x00, 0x7c}},
      {DType::kBF16, {0x7f, 0x7f}, {0x80, 0x7f}},
      {DType::kF32, {0xff, 0xff, 0x7f, 0x7f}, {0x00, 0x00, 0x80, 0xff}},
      {DType::kF64,
       {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0x7f},
       {0, 0, 0, 0, 0, 0, 0xf0, 0xff}}};
  for (const Case& c : cases) {
    EXPECT_TRUE(AllFinite({c.dtype, {}, c.largest})) << DTypeName(c.dtype);
    EXPECT_FALSE(AllFinite({c.dtype, {}, c.infinity})) << DTypeName(c.dtype);
  }
  const std::vector<uint8_t> ones(8, 0xff);
  EXPECT_TRUE(AllFinite({DType::kI64, {}, ones}));
}

// FIPS 180-2, appendix B.
TEST(Sha256, EqualsThePublishedVectors) {
  EXPECT_EQ(Sha256Hex(BytesOf("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  pieces.Update(BytesOf("abcdbcdecdefdefgefghfghighij"));
  pieces.Update({});
  pieces.Update(BytesOf("hijkijkljklmklmnlmnomnopnopq"));
  EXPECT_EQ(pieces.HexDigest(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

}  // namespace
}  // namespace groupmamba
