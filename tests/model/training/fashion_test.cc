#include "model/training/fashion.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/image/decode.h"
#include "model/image/transform.h"
#include "model/training/pictures.h"
#include "model/training/png_file.h"
#include "tests/model/training/idx_files.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::training {
namespace {

using groupmamba::testing::ReadFileForTest;
using groupmamba::testing::TempDir;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// What the server makes of a file.
cv::Mat Decode(const std::string& path) {
  const std::string bytes = ReadFileForTest(path);
  const auto picture = DecodeImage(
      {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, {},
      *ThreadCpuClock::Get());
  EXPECT_TRUE(picture.ok()) << picture.status();
  return picture.ok() ? *picture : cv::Mat();
}

TEST(ReadFashion, ReadsPicturesWithTheirLabels) {
  const TempDir dir;
  WriteFashion(dir.path(), 12);
  const auto data = ReadFashion(dir.path(), FashionSplit::kTest);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->count(), 12);
  EXPECT_EQ(data->labels[11], 1);
  EXPECT_EQ(data->picture(3).size(), 784u);
  EXPECT_EQ(data->picture(3)[5], (3 * 37 + 5 * 11) % 256);
}

TEST(ReadFashion, ALimitKeepsTheFirstPictures) {
  const TempDir dir;
  WriteFashion(dir.path(), 12);
  const auto data = ReadFashion(dir.path(), FashionSplit::kTrain, 5);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->count(), 5);
  EXPECT_EQ(data->pixels.size(), 5u * 784);
}

TEST(ReadFashion, LabelsWithoutPicturesAreRefused) {
  const TempDir dir;
  WriteFashion(dir.path(), 3);
  WriteGzip(dir.Path("t10k-labels-idx1-ubyte.gz"), IdxBytes({2}, "\1\2"));
  const auto data = ReadFashion(dir.path(), FashionSplit::kTest);
  EXPECT_THAT(data.status().message(), HasSubstr("not one label for each"));
}

TEST(ReadFashion, ALabelOutOfRangeIsRefused) {
  const TempDir dir;
  WriteFashion(dir.path(), 3);
  WriteGzip(dir.Path("t10k-labels-idx1-ubyte.gz"), IdxBytes({3}, "\1\x0A\2"));
  const auto data = ReadFashion(dir.path(), FashionSplit::kTest);
  EXPECT_THAT(data.status().message(), HasSubstr("a label is 10"));
}

TEST(ReadFashion, PicturesOfAnotherSizeAreRefused) {
  const TempDir dir;
  WriteFashion(dir.path(), 1);
  WriteGzip(dir.Path("t10k-images-idx3-ubyte.gz"),
            IdxBytes({1, 2, 392}, std::string(784, 'x')));
  const auto data = ReadFashion(dir.path(), FashionSplit::kTest);
  EXPECT_THAT(data.status().message(), HasSubstr("not 28x28"));
}

// The package that ./dev installs for the trainer.
TEST(ReadFashion, DebiansFilesHoldAThousandTestPicturesOfEachClass) {
  const auto data = ReadFashion(kFashionFolder, FashionSplit::kTest);
  if (absl::IsNotFound(data.status())) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  ASSERT_TRUE(data.ok()) << data.status();
  for (int label = 0; label < kFashionClasses; ++label) {
    EXPECT_EQ(std::count(data->labels.begin(), data->labels.end(), label),
              1000);
  }
  EXPECT_EQ(kFashionLabels[data->labels[0]], "Ankle boot");
}

TEST(OpenFashion, GivesThePixelsThatTheServerMakesOfTheSamePng) {
  const TempDir dir;
  WriteFashion(dir.path(), 2);
  const auto data = ReadFashion(dir.path(), FashionSplit::kTest);
  ASSERT_TRUE(data.ok()) << data.status();
  const auto pictures = OpenFashion(dir.path(), FashionSplit::kTest);
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_EQ((*pictures)->count(), 2);
  EXPECT_EQ((*pictures)->labels()[(*pictures)->label(1)], "Trouser");
  const auto picture = (*pictures)->Read(1);
  ASSERT_TRUE(picture.ok()) << picture.status();
  InputConfig input;
  input.resize = 52;
  input.crop = 48;
  std::vector<uint8_t> seen(48 * 48 * 3);
  ASSERT_TRUE(ServedPixels(*picture, input, absl::MakeSpan(seen)).ok());

  const std::string path = dir.Path("picture.png");
  ASSERT_TRUE(WriteGrayPng(path, 28, 28, data->picture(1)).ok());
  std::vector<uint8_t> served(48 * 48 * 3);
  ASSERT_TRUE(
      TransformImage(Decode(path),
                     {.resize = 52, .crop_height = 48, .crop_width = 48},
                     absl::MakeSpan(served))
          .ok());
  EXPECT_EQ(seen, served);
}

TEST(FashionExport, WritesEachPictureUnderItsLabelToTheByte) {
  const TempDir dir;
  WriteFashion(dir.path(), 11);
  const std::string out = dir.Path("png");
  ASSERT_EQ(std::system(absl::StrCat(GM_BIN_DIR, "/fashion-export ", out,
                                     " --data ", dir.path(), " 2>/dev/null")
                            .c_str()),
            0);
  const auto data = ReadFashion(dir.path(), FashionSplit::kTest);
  ASSERT_TRUE(data.ok()) << data.status();
  for (int i = 0; i < 11; ++i) {
    const std::string path = absl::StrCat(out, "/", kFashionLabels[i % 10], "/",
                                          i < 10 ? "0000" : "000", i, ".png");
    ASSERT_TRUE(std::filesystem::exists(path)) << path;
    const cv::Mat picture = Decode(path);
    ASSERT_EQ(picture.rows * picture.cols, 784);
    std::vector<uint8_t> red;
    for (int p = 0; p < 784; ++p) {
      red.push_back(picture.data[3 * p]);
    }
    EXPECT_THAT(red, ElementsAreArray(data->picture(i))) << path;
  }
}

TEST(FashionExport, EndsWithTwoOnWrongUsageAndOneWithoutData) {
  const TempDir dir;
  const auto run = [](const std::string& arguments) {
    return std::system(absl::StrCat(GM_BIN_DIR, "/fashion-export ", arguments,
                                    " >/dev/null 2>&1")
                           .c_str()) >>
           8;
  };
  EXPECT_EQ(run(""), 2);
  EXPECT_EQ(run("--split all " + dir.path()), 2);
  EXPECT_EQ(run("--limit -1 " + dir.path()), 2);
  EXPECT_EQ(run("--data " + dir.path() + " " + dir.Path("png")), 1);
}

}  // namespace
}  // namespace groupmamba::training
