#include "client/labelled_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/testing/temp_dir.h"

namespace groupmamba::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string ErrorOf(const testing::TempDir& folder,
                    const std::vector<std::string>& labels) {
  const auto found = FindLabelledPictures(folder.path(), labels);
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(found.status().message());
}

TEST(LabelledPicturesTest, EachPictureHasTheLabelOfItsFolder) {
  testing::TempDir folder;
  const std::string boot = folder.Write("Ankle boot/1.png", "");
  const std::string bag2 = folder.Write("Bag/2.png", "");
  const std::string bag1 = folder.Write("Bag/1.png", "");
  const auto found =
      FindLabelledPictures(folder.path(), {"Bag", "Dress", "Ankle boot"});
  ASSERT_TRUE(found.ok()) << found.status();
  std::vector<std::pair<std::string, int>> pairs;
  for (const auto& picture : *found) {
    pairs.emplace_back(picture.path, picture.label);
  }
  EXPECT_THAT(pairs, ElementsAre(Pair(bag1, 0), Pair(bag2, 0), Pair(boot, 2)));
}

TEST(LabelledPicturesTest, AFolderThatIsNoLabelIsNamedBesideTheLabels) {
  testing::TempDir folder;
  folder.Write("Handbag/1.png", "");
  EXPECT_EQ(ErrorOf(folder, {"Bag", "Dress"}),
            "the folder 'Handbag' is no label of the model; the model's labels "
            "are Bag, Dress");
}

TEST(LabelledPicturesTest, AFolderThatStandsForTwoLabelsIsRefused) {
  testing::TempDir folder;
  folder.Write("crane/1.png", "");
  EXPECT_THAT(ErrorOf(folder, {"crane", "heron", "crane"}),
              HasSubstr("'crane' stands for 2 labels"));
}

TEST(LabelledPicturesTest, PicturesOutsideTheLabelFoldersAreRefused) {
  testing::TempDir folder;
  folder.Write("Bag/1.png", "");
  folder.Write("stray.png", "");
  EXPECT_THAT(ErrorOf(folder, {"Bag"}), HasSubstr("stray.png"));
}

TEST(LabelledPicturesTest, HiddenFoldersAndOtherFilesAreLeftOut) {
  testing::TempDir folder;
  folder.Write("Bag/1.png", "");
  folder.Write(".git/x.png", "");
  folder.Write("README.md", "");
  const auto found = FindLabelledPictures(folder.path(), {"Bag"});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->size(), 1u);
}

TEST(LabelledPicturesTest, AnEmptyFolderIsAnError) {
  testing::TempDir folder;
  EXPECT_THAT(ErrorOf(folder, {"Bag"}), HasSubstr("holds no label folders"));
  folder.Write("Bag/notes.txt", "");
  EXPECT_THAT(ErrorOf(folder, {"Bag"}), HasSubstr("holds no picture file"));
}

}  // namespace
}  // namespace groupmamba::client
