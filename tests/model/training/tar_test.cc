#include "model/training/tar.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/training/tar_bytes.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::training {
namespace {

using groupmamba::testing::TempDir;
using ::testing::HasSubstr;

absl::StatusOr<std::vector<TarMember>> List(const std::string& bytes,
                                            const TarLimits& limits = {}) {
  const TempDir dir;
  return ListTar(dir.Write("a.tar", bytes), limits);
}

// The one name in a tar file of that header without content.
std::string NameIn(const TarHeader& header) {
  const auto members = List(HeaderBytes(header) + TarEnd());
  EXPECT_TRUE(members.ok()) << members.status();
  return members.ok() && members->size() == 1 ? members->front().name : "";
}

void ExpectFault(const std::string& bytes, const std::string& what) {
  const auto members = List(bytes);
  EXPECT_EQ(members.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(members.status().message(), HasSubstr(what));
  EXPECT_THAT(members.status().message(), HasSubstr("a.tar"));
}

TEST(ListTar, FindsTheFilesAndWhereTheyLie) {
  const TempDir dir;
  const std::string path =
      dir.Write("a.tar", Member("x/", "", '5') +
                             Member("x/1.jpg", std::string(700, 'j')) +
                             Member("x/1.cls", "42") + TarEnd());
  const auto members = ListTar(path);
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ((*members)[0].name, "x/1.jpg");
  EXPECT_EQ((*members)[0].size, 700);
  EXPECT_EQ((*members)[1].name, "x/1.cls");
  const auto content = ReadMember(path, (*members)[1], 10);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(std::string(content->begin(), content->end()), "42");
  EXPECT_FALSE(ReadMember(path, (*members)[0], 699).ok());
}

TEST(ListTar, ReadsWhatGnuTarWrites) {
  const TempDir dir;
  dir.Write("d/a.jpg", "picture");
  dir.Write("d/a.cls", "1");
  for (const char* format : {"ustar", "gnu", "posix"}) {
    const std::string path = dir.Path("out.tar");
    ASSERT_EQ(
        std::system(absl::StrCat("tar --format=", format, " -C ", dir.path(),
                                 " --sort=name -cf ", path, " d")
                        .c_str()),
        0);
    const auto members = ListTar(path);
    ASSERT_TRUE(members.ok()) << format << ": " << members.status();
    ASSERT_EQ(members->size(), 2u);
    EXPECT_EQ((*members)[0].name, "d/a.cls");
    EXPECT_EQ((*members)[1].size, 7);
  }
}

TEST(ListTar, AUstarPrefixGoesBeforeTheName) {
  EXPECT_EQ(NameIn({.name = "a.jpg", .size = "0", .prefix = "deep/er"}),
            "deep/er/a.jpg");
  EXPECT_EQ(NameIn({.name = std::string(100, 'n'), .size = "0"}),
            std::string(100, 'n'));
}

TEST(ListTar, AnEmptyArchiveHasNoFiles) {
  const auto members = List(TarEnd());
  ASSERT_TRUE(members.ok()) << members.status();
  EXPECT_TRUE(members->empty());
}

TEST(ListTar, WhatIsCutOffIsRefused) {
  const std::string whole =
      Member("1.jpg", std::string(700, 'j')) + Member("1.cls", "3") + TarEnd();
  for (const size_t size : {0u, 1u, 511u, 512u, 900u, 1536u, 1600u, 2500u}) {
    ExpectFault(whole.substr(0, size), "truncated");
  }
}

TEST(ListTar, ASizeBeyondTheFileOrTheLimitIsRefused) {
  ExpectFault(HeaderBytes({.name = "a", .size = "7777"}) + TarEnd(),
              "truncated");
  ExpectFault(HeaderBytes({.name = "a", .size = "77777777777"}) + TarEnd(),
              "a member of 8589934591 bytes");
  ExpectFault(HeaderBytes({.name = "a", .size = "777777777777"}) + TarEnd(),
              "bytes; at most");
  // GNU's binary sizes.
  ExpectFault(
      HeaderBytes({.name = "a", .size = "\x80" + std::string(11, '\x7f')}) +
          TarEnd(),
      "more than 8 GiB");
}

TEST(ListTar, ASizeThatIsNoOctalNumberIsRefused) {
  ExpectFault(HeaderBytes({.name = "a", .size = "12x"}) + TarEnd(),
              "not octal");
  ExpectFault(HeaderBytes({.name = "a", .size = "-1"}) + TarEnd(), "not octal");
  ExpectFault(HeaderBytes({.name = "a", .size = "9"}) + TarEnd(), "not octal");
  ExpectFault(HeaderBytes({.name = "a", .size = ""}) + TarEnd(), "missing");
}

TEST(ListTar, NamesThatLeadOutAreRefused) {
  for (const char* name : {"/etc/passwd", "../a.jpg", "a/../../b", "a/.."}) {
    ExpectFault(HeaderBytes({.name = name, .size = "0"}) + TarEnd(),
                "leads out");
  }
  ExpectFault(
      HeaderBytes({.name = "a", .size = "0", .prefix = "x/.."}) + TarEnd(),
      "leads out");
  EXPECT_EQ(NameIn({.name = "a..b/..c.jpg", .size = "0"}), "a..b/..c.jpg");
  ExpectFault(HeaderBytes({.name = "a\nb", .size = "0"}) + TarEnd(),
              "control characters");
  ExpectFault(HeaderBytes({.name = "", .size = "0"}) + TarEnd(), "empty");
}

TEST(ListTar, LinksDevicesAndLongNamesAreRefused) {
  for (const char type : {'1', '2', '3', '4', '6', '7', 'S', 'L', 'K'}) {
    ExpectFault(Member("a", "", type) + TarEnd(), "neither a file");
  }
}

TEST(ListTar, ExtendedHeadersMayOnlySayWhatDoesNotMatter) {
  const std::string file = Member("a.jpg", "j");
  const auto members =
      List(Member("h", "19 mtime=1234567.5\n", 'x') + file + TarEnd());
  ASSERT_TRUE(members.ok()) << members.status();
  EXPECT_EQ(members->size(), 1u);
  ExpectFault(Member("h", "15 path=../../b\n", 'x') + file + TarEnd(),
              "extended header");
  ExpectFault(Member("h", "16 path=../../b\n", 'x') + file + TarEnd(),
              "a long name or size");
  ExpectFault(Member("h", "20 size=99999999999\n", 'g') + file + TarEnd(),
              "a long name or size");
  for (const char* record :
       {"0 a=b\n", "99 a=b\n", "-5 a=b\n", "abc", "3 \n"}) {
    ExpectFault(Member("h", record, 'x') + file + TarEnd(), "cannot be read");
  }
  ExpectFault(Member("h", std::string(65 << 10, '1'), 'x') + file + TarEnd(),
              "too long");
}

TEST(ListTar, AWrongChecksumOrMagicIsRefused) {
  std::string bytes = Member("a.jpg", "j") + TarEnd();
  bytes[0] = 'b';
  ExpectFault(bytes, "wrong checksum");
  ExpectFault(
      HeaderBytes({.name = "a", .size = "0", .magic = std::string(8, '\0')}) +
          TarEnd(),
      "not a ustar header");
  ExpectFault(std::string(4096, 'z'), "not octal");
}

TEST(ListTar, TheMessageNamesThePlace) {
  ExpectFault(Member("a.jpg", "j") + Member("b", "", '2') + TarEnd(),
              "at byte 1024");
}

TEST(ListTar, MoreMembersThanTheLimitAreRefused) {
  const std::string two = Member("a", "") + Member("b", "") + TarEnd();
  EXPECT_TRUE(List(two, {.max_members = 2}).ok());
  EXPECT_FALSE(List(two, {.max_members = 1}).ok());
}

TEST(ListTar, AFileThatIsNotThereIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(ListTar("/nonexistent.tar").status()));
}

}  // namespace
}  // namespace groupmamba::training
