#include "client/picture_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/testing/temp_dir.h"

namespace groupmamba::client {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> PathsOf(const std::vector<PictureFile>& files) {
  std::vector<std::string> paths;
  for (const PictureFile& file : files) paths.push_back(file.path);
  return paths;
}

TEST(FindPicturesTest, AFolderIsSearchedWithAllBelowItSorted) {
  testing::TempDir folder;
  const std::string c = folder.Write("c.png", "");
  const std::string a = folder.Write("sub/deep/a.JPG", "");
  const std::string b = folder.Write("b.webp", "");
  const std::string d = folder.Write("sub/d.jpeg", "");
  folder.Write("notes.txt", "");
  folder.Write("sub/png", "");
  EXPECT_THAT(PathsOf(FindPictures({folder.path()})), ElementsAre(b, c, d, a));
}

TEST(FindPicturesTest, ANamedFileIsTakenWhateverItsNameInTheOrderGiven) {
  testing::TempDir folder;
  const std::string text = folder.Write("picture.txt", "");
  const std::string missing = folder.Path("missing");
  EXPECT_THAT(PathsOf(FindPictures({"-", text, missing})),
              ElementsAre("-", text, missing));
}

TEST(FindPicturesTest, AFolderWithoutPicturesIsAnErrorWithItsName) {
  testing::TempDir folder;
  folder.Write("notes.txt", "");
  const auto found = FindPictures({folder.path()});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path, folder.path());
  EXPECT_EQ(found[0].status.code(), absl::StatusCode::kNotFound);
}

TEST(FindPicturesTest, ALinkToTheFolderAboveDoesNotLoop) {
  testing::TempDir folder;
  const std::string a = folder.Write("a.png", "");
  std::filesystem::create_directory_symlink(folder.path(), folder.Path("loop"));
  EXPECT_THAT(PathsOf(FindPictures({folder.path()})), ElementsAre(a));
}

TEST(FindPicturesTest, AFolderThatIsNamedLikeAPictureIsNoPicture) {
  testing::TempDir folder;
  const std::string inner = folder.Write("album.png/a.png", "");
  EXPECT_THAT(PathsOf(FindPictures({folder.path()})), ElementsAre(inner));
}

TEST(ReadPictureTest, AFileComesByteForByte) {
  testing::TempDir folder;
  const std::string bytes("\0\xff\r\n\x1a", 5);
  const auto read = ReadPicture(folder.Write("a", bytes), 100, nullptr);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, bytes);
}

TEST(ReadPictureTest, StandardInputIsReadForADash) {
  std::istringstream input(std::string(1 << 20, 'x'));
  const auto read = ReadPicture("-", 2 << 20, &input);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), size_t{1} << 20);
}

TEST(ReadPictureTest, TheCapItselfIsAllowedAndOneByteMoreIsNot) {
  testing::TempDir folder;
  const std::string file = folder.Write("a", std::string(1000, 'x'));
  EXPECT_TRUE(ReadPicture(file, 1000, nullptr).ok());
  EXPECT_EQ(ReadPicture(file, 999, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ReadPictureTest, AnEndlessFileIsRefusedAfterTheCap) {
  EXPECT_EQ(ReadPicture("/dev/zero", 1 << 20, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ReadPictureTest, AMissingFileSaysSo) {
  testing::TempDir folder;
  const absl::Status status =
      ReadPicture(folder.Path("no"), 10, nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "cannot be opened: No such file or directory");
}

}  // namespace
}  // namespace groupmamba::client
