// Good safetensors files are read and written; bad ones:
// safetensors_hostile_test.cc.

#include "model/safetensors.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/sha256.h"
#include "tests/model/safetensors_bytes.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using testing::BytesOf;
using testing::Entry;
using testing::FileOf;
using ::testing::HasSubstr;
using testing::ReadFileForTest;
using testing::TempDir;

using Shape = std::vector<int64_t>;
using Tensors = std::map<std::string, TensorBytes>;

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
