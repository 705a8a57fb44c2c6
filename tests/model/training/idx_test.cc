#include "model/training/idx.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/training/idx_files.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::training {
namespace {

using groupmamba::testing::ReadFileForTest;
using groupmamba::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ReadIdx, ReadsPlainAndCompressedFiles) {
  const TempDir dir;
  const std::string bytes = IdxBytes({2, 3}, "abcdef");
  WriteGzip(dir.Path("small.gz"), bytes);
  for (const std::string& path :
       {dir.Path("small.gz"), dir.Write("small", bytes)}) {
    const auto array = ReadIdx(path);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_THAT(array->shape, ElementsAre(2, 3));
    EXPECT_THAT(array->values, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  }
}

TEST(ReadIdx, ReadsMoreThanOneChunk) {
  const TempDir dir;
  std::string values(3 << 20, 'x');
  values.back() = 'y';
  WriteGzip(dir.Path("large.gz"), IdxBytes({3, 1 << 20}, values));
  const auto array = ReadIdx(dir.Path("large.gz"));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(std::string(array->values.begin(), array->values.end()), values);
}

TEST(ReadIdx, AMissingFileIsNotFound) {
  const TempDir dir;
  EXPECT_EQ(ReadIdx(dir.Path("none")).status().code(),
            absl::StatusCode::kNotFound);
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* says;
};

void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

class ReadIdxBad : public ::testing::TestWithParam<BadFile> {};

TEST_P(ReadIdxBad, IsRefusedWithItsReason) {
  const TempDir dir;
  const auto array =
      ReadIdx(dir.Write("bad", GetParam().bytes), /*max_bytes=*/1000);
  EXPECT_EQ(array.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(array.status().message(), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, ReadIdxBad,
    ::testing::Values(
        BadFile{"Empty", "", "truncated"},
        BadFile{"Magic", std::string("\1\0\x8\1\0\0\0\1a", 9), "not an IDX"},
        BadFile{"Floats", std::string("\0\0\xD\1\0\0\0\1aaaa", 12),
                "not unsigned bytes"},
        BadFile{"NoDimension", std::string("\0\0\x8\0", 4), "0 dimensions"},
        BadFile{"ManyDimensions", IdxBytes({1, 1, 1, 1, 1}, "a"),
                "5 dimensions"},
        BadFile{"ZeroSize", IdxBytes({3, 0}, ""), "dimension 1 is zero"},
        BadFile{"OverTheLimit", IdxBytes({1001}, std::string(1001, 'a')),
                "more than 1000"},
        // The product of these is 2^128, which is 0 in 64 bits.
        BadFile{"Overflow",
                IdxBytes({0x80000000, 0x80000000, 0x80000000, 0x80000000}, ""),
                "more than 1000"},
        BadFile{"TooFewValues", IdxBytes({7}, "abcdef"), "truncated"},
        BadFile{"TooManyValues", IdxBytes({5}, "abcdef"), "after the last"}),
    [](const auto& info) { return info.param.name; });

TEST(ReadIdx, EveryTruncationIsRefused) {
  const TempDir dir;
  WriteGzip(dir.Path("whole.gz"), IdxBytes({2, 3}, "abcdef"));
  const std::string whole = ReadFileForTest(dir.Path("whole.gz"));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto array = ReadIdx(dir.Write("cut.gz", whole.substr(0, size)));
    EXPECT_EQ(array.status().code(), absl::StatusCode::kInvalidArgument)
        << "cut to " << size << " of " << whole.size() << " bytes";
  }
}

TEST(ReadIdx, AWrongChecksumIsRefused) {
  const TempDir dir;
  WriteGzip(dir.Path("good.gz"), IdxBytes({2, 3}, "abcdef"));
  std::string bytes = ReadFileForTest(dir.Path("good.gz"));
  bytes[bytes.size() - 8] ^= 1;  // the CRC's first byte
  const auto array = ReadIdx(dir.Write("bad.gz", bytes));
  EXPECT_EQ(array.status().code(), absl::StatusCode::kInvalidArgument);
}

// 4 GiB of claims must not become 4 GiB of memory: a file of 20 bytes is read
// in no time, within the test's address space.
TEST(ReadIdx, ALargeClaimWithoutBytesAllocatesLittle) {
  const TempDir dir;
  const auto array = ReadIdx(dir.Write("claim", IdxBytes({0xFFFFFFFF}, "abc")),
                             /*max_bytes=*/int64_t{1} << 40);
  EXPECT_THAT(array.status().message(), HasSubstr("truncated"));
}

}  // namespace
}  // namespace groupmamba::training
