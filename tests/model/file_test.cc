#include "model/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;
using testing::ReadFileForTest;
using testing::TempDir;

TEST(ReadRegularFile, ReadsAllBytesUpToTheCap) {
  const TempDir dir;
  const std::string path = dir.Write("f", std::string("a\0\xff\n", 4));
  const auto bytes = ReadRegularFile(path, 4);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(*bytes, (std::vector<uint8_t>{'a', 0, 0xff, '\n'}));
}

TEST(ReadRegularFile, ReadsAnEmptyFile) {
  const TempDir dir;
  const auto bytes = ReadRegularFile(dir.Write("f", ""), 0);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_TRUE(bytes->empty());
}

TEST(ReadRegularFile, RefusesOneByteOverTheCap) {
  const TempDir dir;
  const auto bytes = ReadRegularFile(dir.Write("f", "12345"), 4);
  EXPECT_TRUE(absl::IsInvalidArgument(bytes.status()));
  EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("at most 4"));
}

TEST(ReadRegularFile, MissingFileIsNotFound) {
  const TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(ReadRegularFile(dir.Path("f"), 1).status()));
}

// As Kubernetes mounts a volume: model -> ..data/model, ..data -> ..2026/.
TEST(ReadRegularFile, FollowsSymbolicLinks) {
  const TempDir dir;
  dir.Write("..2026/f", "x");
  std::filesystem::create_directory_symlink("..2026", dir.Path("..data"));
  std::filesystem::create_symlink("..data/f", dir.Path("f"));
  EXPECT_TRUE(ReadRegularFile(dir.Path("f"), 1).ok());
}

// A FIFO that nobody writes to would block an ordinary open for ever.
TEST(ReadRegularFile, RefusesWhatIsNoRegularFile) {
  const TempDir dir;
  ASSERT_EQ(mkfifo(dir.Path("fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/zero", dir.Path("device"));
  std::filesystem::create_directory(dir.Path("folder"));
  for (const char* name : {"fifo", "device", "folder"}) {
    const auto bytes = ReadRegularFile(dir.Path(name), 1 << 20);
    EXPECT_TRUE(absl::IsInvalidArgument(bytes.status())) << name;
    EXPECT_THAT(std::string(bytes.status().message()),
                HasSubstr("not a regular file"))
        << name;
  }
}

// /proc files say that they are empty and then are not: a file that grew.
TEST(ReadRegularFile, RefusesAFileThatIsNotAsLongAsItSays) {
  const auto bytes = ReadRegularFile("/proc/self/status", 1 << 20);
  EXPECT_TRUE(absl::IsInvalidArgument(bytes.status()));
  EXPECT_THAT(std::string(bytes.status().message()),
              HasSubstr("changed while it was read"));
}

TEST(AtomicFile, AppearsOnlyWithCommit) {
  const TempDir dir;
  const std::string path = dir.Write("f", "old");
  auto file = AtomicFile::Create(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(file->Append("ne").ok());
  ASSERT_TRUE(file->Append("w").ok());
  EXPECT_EQ(ReadFileForTest(path), "old");
  ASSERT_TRUE(file->Commit().ok());
  EXPECT_EQ(ReadFileForTest(path), "new");
}

TEST(AtomicFile, WithoutCommitLeavesNothing) {
  const TempDir dir;
  {
    auto file = AtomicFile::Create(dir.Path("f"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->Append("x").ok());
    const AtomicFile moved = *std::move(file);
    EXPECT_FALSE(std::filesystem::is_empty(dir.path()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(AtomicFile, ThatCannotReplaceLeavesNothing) {
  const TempDir dir;
  std::filesystem::create_directories(dir.Path("f/taken"));
  EXPECT_FALSE(WriteFileAtomically(dir.Path("f"), "x").ok());
  EXPECT_TRUE(std::filesystem::is_directory(dir.Path("f/taken")));
  std::filesystem::remove_all(dir.Path("f"));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(AtomicFile, InAMissingFolderIsNotFound) {
  const TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(WriteFileAtomically(dir.Path("no/f"), "x")));
}

TEST(AtomicFile, CanBeReadByEveryone) {
  const TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.Path("f"), "x").ok());
  struct stat info;
  ASSERT_EQ(stat(dir.Path("f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
}

}  // namespace
}  // namespace groupmamba
