#include "model/training/open_pictures.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/training/folder_pictures.h"
#include "opencv2/core.hpp"
#include "tests/model/training/tar_bytes.h"
#include "tests/testing/image_encoders.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::training {
namespace {

using groupmamba::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// Of one colour, whose red tells which it is.
cv::Mat Plain(int red) { return {40, 50, CV_8UC3, cv::Scalar(red, 100, 200)}; }

std::string Png(int red) { return Text(EncodePng(Plain(red))); }

std::vector<std::string> Names(const PictureSource& pictures) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < pictures.count(); ++i) {
    names.push_back(pictures.name(i));
  }
  return names;
}

int RedOf(const PictureSource& pictures, int64_t i) {
  const auto picture = pictures.Read(i);
  EXPECT_TRUE(picture.ok()) << picture.status();
  return picture.ok() ? picture->at<cv::Vec3b>(20, 20)[0] : -1;
}

TEST(OpenPictures, FoldersAreClassesInTheOrderOfTheirNames) {
  const TempDir dir;
  dir.Write("train/zebra/1.png", Png(10));
  dir.Write("train/zebra/2.png", Png(20));
  dir.Write("train/ant/b.PNG", Png(30));
  dir.Write("train/ant/notes.txt", "no picture");
  dir.Write("train/ant/.hidden.png", "no picture");
  dir.Write("train/.cache/x.png", "no class");
  dir.Write("val/zebra/v.jpeg", Text(EncodeJpeg(Plain(99))));
  dir.Write("val/ant/w.webp", Text(EncodeWebp(Plain(40), /*lossless=*/true)));

  const auto train = OpenPictures(dir.path(), FashionSplit::kTrain, 0);
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT((*train)->labels(), ElementsAre("ant", "zebra"));
  EXPECT_THAT(
      Names(**train),
      ElementsAre("train/ant/b.PNG", "train/zebra/1.png", "train/zebra/2.png"));
  EXPECT_EQ((*train)->label(0), 0);
  EXPECT_EQ((*train)->label(2), 1);
  EXPECT_EQ(RedOf(**train, 2), 20);

  const auto test = OpenPictures(dir.path(), FashionSplit::kTest, 0);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_EQ(RedOf(**test, 0), 40);
  EXPECT_NEAR(RedOf(**test, 1), 99, 3);
  EXPECT_TRUE(CheckSameClasses(**train, **test).ok());
}

TEST(OpenPictures, ALimitLeavesALittleOfEveryClass) {
  const TempDir dir;
  for (const char* label : {"a", "b"}) {
    for (int i = 0; i < 3; ++i) {
      dir.Write(absl::StrCat("train/", label, "/", i, ".jpg"), "");
    }
  }
  const auto pictures = OpenPictures(dir.path(), FashionSplit::kTrain, 3);
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_THAT(Names(**pictures),
              ElementsAre("train/a/0.jpg", "train/b/0.jpg", "train/a/1.jpg"));
}

TEST(OpenPictures, WhatIsNotAPictureSaysSoWhenRead) {
  const TempDir dir;
  dir.Write("train/a/0.jpg", "not a JPEG");
  const auto pictures = OpenPictures(dir.path(), FashionSplit::kTrain, 0);
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_THAT((*pictures)->Read(0).status().message(),
              HasSubstr("unknown_format"));
}

TEST(OpenPictures, FoldersWithoutClassesOrPicturesAreRefused) {
  const TempDir dir;
  dir.Write("train/a.jpg", "");
  EXPECT_THAT(
      OpenPictures(dir.path(), FashionSplit::kTrain, 0).status().message(),
      HasSubstr("one for each class"));
  dir.Write("train/empty/readme", "");
  EXPECT_THAT(
      OpenPictures(dir.path(), FashionSplit::kTrain, 0).status().message(),
      HasSubstr("holds no pictures"));
  EXPECT_TRUE(absl::IsNotFound(
      OpenPictures(dir.path(), FashionSplit::kTest, 0).status()));
}

TEST(OpenPictures, AClassThatNoLabelsFileCanHoldIsRefused) {
  const TempDir dir;
  dir.Write("train/two\nlines/0.jpg", "");
  EXPECT_THAT(
      OpenPictures(dir.path(), FashionSplit::kTrain, 0).status().message(),
      HasSubstr("two\\nlines"));
}

TEST(CheckSameClasses, NamesTheFirstThatDiffers) {
  const TempDir dir;
  dir.Write("train/a/0.jpg", "");
  dir.Write("train/b/0.jpg", "");
  dir.Write("val/a/0.jpg", "");
  const auto train = OpenPictures(dir.path(), FashionSplit::kTrain, 0);
  const auto test = OpenPictures(dir.path(), FashionSplit::kTest, 0);
  EXPECT_THAT(CheckSameClasses(**train, **test).message(),
              HasSubstr("differs is b"));
  EXPECT_THAT(CheckSameClasses(**test, **train).message(),
              HasSubstr("differs is b"));
}

// ---- Shards

absl::StatusOr<std::unique_ptr<PictureSource>> OpenShard(
    const TempDir& dir, const std::string& members, int64_t limit = 0) {
  dir.Write("labels.txt", "cat\ndog\n");
  dir.Write("train/0.tar", members + TarEnd());
  return OpenPictures(dir.path(), FashionSplit::kTrain, limit);
}

TEST(OpenPictures, ShardsArePicturesWithTheirClassBeside) {
  const TempDir dir;
  dir.Write("train/1.tar",
            Member("c.png", Png(30)) + Member("c.cls", "0\n") + TarEnd());
  dir.Write("train/list.txt", "no shard");
  const auto pictures =
      OpenShard(dir, Member("x.y/a.png", Png(10)) + Member("x.y/a.cls", "1") +
                         Member("x.y/a.json", "{}") + Member("b.cls", "0") +
                         Member("b.png", Png(20)));
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_THAT((*pictures)->labels(), ElementsAre("cat", "dog"));
  EXPECT_THAT(Names(**pictures),
              ElementsAre("train/0.tar:x.y/a.png", "train/0.tar:b.png",
                          "train/1.tar:c.png"));
  EXPECT_EQ((*pictures)->label(0), 1);
  EXPECT_EQ((*pictures)->label(1), 0);
  EXPECT_EQ(RedOf(**pictures, 1), 20);
  EXPECT_EQ(RedOf(**pictures, 2), 30);
}

TEST(OpenPictures, ALimitTakesTheFirstOfTheShards) {
  const TempDir dir;
  const auto pictures =
      OpenShard(dir,
                Member("a.jpg", "1") + Member("a.cls", "1") +
                    Member("b.jpg", "2") + Member("b.cls", "1"),
                1);
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_THAT(Names(**pictures), ElementsAre("train/0.tar:a.jpg"));
}

TEST(OpenPictures, ASampleThatIsNotWholeIsRefusedByItsKey) {
  const std::string a = Member("a.jpg", "j");
  const struct {
    std::string members;
    const char* what;
  } cases[] = {
      {a, "no class of a"},
      {Member("a.cls", "1"), "no picture of a"},
      {a + Member("a.png", "p") + Member("a.cls", "1"), "two pictures of a"},
      {a + Member("a.cls", "1") + Member("a.cls", "1"), "two classes of a"},
      {a + Member("a.cls", "2"), "no class below 2 in a.cls"},
      {a + Member("a.cls", "-1"), "no class below 2 in a.cls"},
      {a + Member("a.cls", ""), "no class below 2 in a.cls"},
      {a + Member("a.cls", "cat"), "no class below 2 in a.cls"},
      {a + Member("a.cls", std::string(17, ' ')), "no class below 2 in a.cls"},
      {Member("readme", "x"), "hold no pictures"},
  };
  for (const auto& c : cases) {
    const TempDir dir;
    const auto pictures = OpenShard(dir, c.members);
    EXPECT_EQ(pictures.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(pictures.status().message(), HasSubstr(c.what));
  }
}

TEST(OpenPictures, ShardsWithoutLabelsFileAreRefused) {
  const TempDir dir;
  dir.Write("train/0.tar", TarEnd());
  EXPECT_TRUE(absl::IsNotFound(
      OpenPictures(dir.path(), FashionSplit::kTrain, 0).status()));
}

TEST(IsPictureName, GoesByTheEnding) {
  EXPECT_TRUE(IsPictureName("a/b.JPEG"));
  EXPECT_FALSE(IsPictureName("a.jpg.txt"));
  EXPECT_FALSE(IsPictureName("jpg"));
}

}  // namespace
}  // namespace groupmamba::training
