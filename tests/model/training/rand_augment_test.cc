#include "model/training/rand_augment.h"

#include <cstring>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "opencv2/core.hpp"
#include "tests/testing/image_encoders.h"

namespace groupmamba::training {
namespace {

constexpr Colour kFill = {10, 20, 30};

cv::Mat Picture() { return MakePicture(16, 16, 3, /*seed=*/1); }

bool Same(const cv::Mat& a, const cv::Mat& b) {
  return cv::norm(a, b, cv::NORM_INF) == 0;
}

cv::Mat Changed(Operation operation, double level, bool negative = false,
                const cv::Mat& picture = Picture()) {
  cv::Mat out = picture.clone();
  Apply(operation, level, negative, kFill, &out);
  EXPECT_EQ(out.size(), picture.size());
  EXPECT_EQ(out.type(), CV_8UC3);
  return out;
}

// One row of gray values.
cv::Mat Row(std::vector<uint8_t> values) {
  cv::Mat row(1, static_cast<int>(values.size()), CV_8UC3);
  for (int x = 0; x < row.cols; ++x) {
    row.at<cv::Vec3b>(0, x) = cv::Vec3b::all(values[x]);
  }
  return row;
}

std::vector<int> Values(const cv::Mat& row) {
  std::vector<int> values;
  for (int x = 0; x < row.cols; ++x) {
    const auto pixel = row.at<cv::Vec3b>(0, x);
    EXPECT_EQ(pixel[0], pixel[1]);
    EXPECT_EQ(pixel[1], pixel[2]);
    values.push_back(pixel[0]);
  }
  return values;
}

using ::testing::ElementsAre;

TEST(Apply, GeometryAndEnhancementAtLevelZeroChangeNothing) {
  for (const Operation operation :
       {Operation::kRotate, Operation::kColor, Operation::kContrast,
        Operation::kBrightness, Operation::kSharpness, Operation::kShearX,
        Operation::kShearY, Operation::kTranslateX, Operation::kTranslateY,
        Operation::kSolarizeAdd}) {
    EXPECT_TRUE(Same(Changed(operation, 0), Picture()))
        << static_cast<int>(operation);
  }
}

TEST(Apply, EveryOperationChangesThePictureAndTheSignTurnsItRound) {
  const std::set<Operation> unsigned_ones = {
      Operation::kAutoContrast, Operation::kEqualize, Operation::kInvert,
      Operation::kPosterize,    Operation::kSolarize, Operation::kSolarizeAdd};
  // Whose contrast can be stretched, and values spread.
  const cv::Mat dull = MakePicture(64, 64, 3, /*seed=*/1) * 0.5;
  for (int i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    const cv::Mat one = Changed(operation, 9, false, dull);
    EXPECT_FALSE(Same(one, dull)) << i;
    EXPECT_EQ(Same(one, Changed(operation, 9, true, dull)),
              unsigned_ones.count(operation) > 0)
        << i;
  }
}

TEST(Apply, AutoContrastStretchesToTheEnds) {
  EXPECT_THAT(
      Values(Changed(Operation::kAutoContrast, 5, false, Row({50, 100, 150}))),
      ElementsAre(0, 127, 255));
  EXPECT_THAT(
      Values(Changed(Operation::kAutoContrast, 5, false, Row({7, 7, 7}))),
      ElementsAre(7, 7, 7));
}

TEST(Apply, EqualizeSpreadsValuesEvenly) {
  // 510 pixels: half of them 10, the others 11, and one step is one of 255th.
  std::vector<uint8_t> values(1020, 10);
  std::fill(values.begin() + 510, values.end(), 11);
  const std::vector<int> out =
      Values(Changed(Operation::kEqualize, 5, false, Row(values)));
  EXPECT_EQ(out.front(), 0);
  EXPECT_EQ(out.back(), 255);
}

TEST(Apply, TablesAreTheirFormulas) {
  const cv::Mat row = Row({0, 60, 127, 128, 200, 255});
  EXPECT_THAT(Values(Changed(Operation::kInvert, 5, false, row)),
              ElementsAre(255, 195, 128, 127, 55, 0));
  // Level 5: two bits; the threshold 128; 55 more.
  EXPECT_THAT(Values(Changed(Operation::kPosterize, 5, false, row)),
              ElementsAre(0, 0, 64, 128, 192, 192));
  EXPECT_THAT(Values(Changed(Operation::kSolarize, 5, false, row)),
              ElementsAre(0, 60, 127, 127, 55, 0));
  EXPECT_THAT(Values(Changed(Operation::kSolarizeAdd, 5, false, row)),
              ElementsAre(55, 115, 182, 128, 200, 255));
  // 0.9 * 5 / 10 brighter or darker.
  EXPECT_THAT(Values(Changed(Operation::kBrightness, 5, false, row)),
              ElementsAre(0, 87, 184, 185, 255, 255));
  EXPECT_THAT(Values(Changed(Operation::kBrightness, 5, true, row)),
              ElementsAre(0, 33, 69, 70, 110, 140));
}

TEST(Apply, ColorOfAGrayPictureStays) {
  const cv::Mat gray = Row({0, 60, 127, 255});
  EXPECT_TRUE(Same(Changed(Operation::kColor, 10, true, gray), gray));
}

TEST(Apply, TranslateMovesAndFills) {
  cv::Mat picture(20, 20, CV_8UC3, cv::Scalar(200, 200, 200));
  // 0.45 of 20 pixels.
  const cv::Mat moved = Changed(Operation::kTranslateX, 10, false, picture);
  for (int x = 0; x < 20; ++x) {
    const auto pixel = moved.at<cv::Vec3b>(7, x);
    EXPECT_EQ(pixel[0], x < 11 ? 200 : kFill[0]) << x;
    EXPECT_EQ(pixel[2], x < 11 ? 200 : kFill[2]) << x;
  }
  EXPECT_TRUE(
      Same(Changed(Operation::kTranslateY, 10, false, picture.t()), moved.t()));
}

TEST(Apply, RotatingThereAndBackKeepsTheMiddle) {
  cv::Mat picture(33, 33, CV_8UC3, cv::Scalar());
  picture(cv::Rect(10, 10, 13, 13)) = cv::Scalar(255, 255, 255);
  cv::Mat turned = Changed(Operation::kRotate, 10, false, picture);
  EXPECT_FALSE(Same(turned, picture));
  EXPECT_NEAR(cv::sum(turned)[0], cv::sum(picture)[0],
              0.1 * cv::sum(picture)[0]);
  turned = Changed(Operation::kRotate, 10, true, turned);
  EXPECT_TRUE(
      Same(turned(cv::Rect(13, 13, 7, 7)), picture(cv::Rect(13, 13, 7, 7))));
}

TEST(RandAugment, DrawsEveryOperationButAppliesHalfOfThem) {
  int unchanged = 0;
  for (uint64_t number = 0; number < 600; ++number) {
    Random random({number});
    cv::Mat picture = Picture();
    RandAugment({.operations = 1}, kFill, &random, &picture);
    unchanged += Same(picture, Picture()) ? 1 : 0;
  }
  EXPECT_GT(unchanged, 240);
  EXPECT_LT(unchanged, 400);  // some operations do nothing to some pictures
}

TEST(RandAugment, TheSameNumbersGiveTheSamePicture) {
  for (uint64_t number = 0; number < 20; ++number) {
    Random first({number}), second({number});
    cv::Mat one = Picture(), other = Picture();
    RandAugment({.operations = 2}, kFill, &first, &one);
    RandAugment({.operations = 2}, kFill, &second, &other);
    EXPECT_TRUE(Same(one, other));
    EXPECT_EQ(first.Next(), second.Next());
  }
}

TEST(RandAugment, WithoutOperationsDrawsNothing) {
  Random random({1}), untouched({1});
  cv::Mat picture = Picture();
  RandAugment({.operations = 0}, kFill, &random, &picture);
  EXPECT_TRUE(Same(picture, Picture()));
  EXPECT_EQ(random.Next(), untouched.Next());
}

}  // namespace
}  // namespace groupmamba::training
