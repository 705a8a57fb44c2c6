#include "model/image/transform.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/image/resample.h"
#include "model/image/window.h"
#include "tests/reference/resize_reference.h"
#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;

TransformSpec Spec(int resize, int crop_height, int crop_width,
                   ResizeFilter filter = ResizeFilter::kBicubic) {
  return {resize, crop_height, crop_width, filter};
}

TEST(ResizeShortSideTest, LongSideIsTruncatedAsPythonDoes) {
  const struct {
    int height, width, resize;
    int64_t new_height, new_width;
  } kCases[] = {
      {375, 500, 256, 256, 341},  // 341.33
      {500, 333, 256, 384, 256},  // 384.38
      {28, 28, 48, 48, 48},       //
      {65500, 1, 256, 16768000, 256},
      {1, 65500, 256, 256, 16768000},
      {3, 10, 1, 1, 3},
  };
  for (const auto& c : kCases) {
    const ResizedSize size = ResizeShortSide(c.height, c.width, c.resize);
    EXPECT_EQ(size.height, c.new_height) << c.height << " x " << c.width;
    EXPECT_EQ(size.width, c.new_width) << c.height << " x " << c.width;
  }
}

TEST(CenterCropBeginTest, HalvesGoToTheEvenNumberAsPythonDoes) {
  EXPECT_EQ(CenterCropBegin(256, 224), 16);
  EXPECT_EQ(CenterCropBegin(5, 4), 0);       // 0.5
  EXPECT_EQ(CenterCropBegin(7, 4), 2);       // 1.5
  EXPECT_EQ(CenterCropBegin(9, 4), 2);       // 2.5
  EXPECT_EQ(CenterCropBegin(341, 224), 58);  // 58.5
  EXPECT_EQ(CenterCropBegin(7, 7), 0);
}

class KernelsTest : public testing::TestWithParam<const ResampleKernels*> {
 protected:
  void SetUp() override {
    for (const ResampleKernels* kernels : AvailableResampleKernels()) {
      if (kernels == GetParam()) return;
    }
    GTEST_SKIP() << "this CPU cannot run " << GetParam()->name;
  }

  // The bytes lie in a block of just their size, so that the address sanitizer
  // sees every read beyond them.
  static void ExpectLikeReference(const cv::Mat& picture,
                                  const TransformSpec& spec) {
    std::vector<uint8_t> bytes(picture.data,
                               picture.data + picture.total() * 3);
    const cv::Mat exact(picture.rows, picture.cols, CV_8UC3, bytes.data());
    std::vector<uint8_t> out(size_t{3} * spec.crop_height * spec.crop_width);
    ResampleWindow(exact, spec, *GetParam(), out.data());
    const cv::Mat expected = ReferenceTransform(picture, spec);
    EXPECT_EQ(std::memcmp(out.data(), expected.data, out.size()), 0)
        << picture.cols << " x " << picture.rows << " -> " << spec.resize
        << ", " << spec.crop_width << " x " << spec.crop_height;
  }
};

TEST_P(KernelsTest, EqualTheReferenceAtManySizes) {
  const struct {
    int width, height;
  } kSizes[] = {{1, 1},   {2, 1},   {1, 3},    {4, 4},    {5, 7},    {17, 16},
                {28, 28}, {33, 65}, {100, 31}, {211, 97}, {13, 300}, {301, 12}};
  uint64_t seed = 0;
  for (const auto& [width, height] : kSizes) {
    const cv::Mat picture = MakePicture(width, height, 3, ++seed);
    for (ResizeFilter filter :
         {ResizeFilter::kBicubic, ResizeFilter::kBilinear}) {
      ExpectLikeReference(picture, Spec(1, 1, 1, filter));
      ExpectLikeReference(picture, Spec(9, 3, 8, filter));
      ExpectLikeReference(picture, Spec(48, 48, 48, filter));
    }
  }
}

TEST_P(KernelsTest, EqualTheReferenceAtLargeReductions) {
  ExpectLikeReference(MakePicture(1600, 1203, 3, 1), Spec(32, 28, 31));
  ExpectLikeReference(MakePicture(1021, 1999, 3, 2), Spec(7, 7, 7));
}

TEST_P(KernelsTest, EqualTheReferenceWhereSamplesAreExtreme) {
  cv::Mat checks(40, 60, CV_8UC3);
  for (int y = 0; y < checks.rows; ++y) {
    for (int x = 0; x < checks.cols; ++x) {
      checks.at<cv::Vec3b>(y, x) = cv::Vec3b::all((x / 3 + y / 2) % 2 * 255);
    }
  }
  ExpectLikeReference(checks, Spec(64, 64, 64));
  ExpectLikeReference(checks, Spec(21, 21, 21));
}

TEST_P(KernelsTest, EqualTheReferenceInTheMiddleOfAHugeResizedPicture) {
  ExpectLikeReference(MakePicture(1, 65500, 3, 3), Spec(256, 16, 24));
  ExpectLikeReference(MakePicture(65500, 1, 3, 4), Spec(256, 16, 24));
}

INSTANTIATE_TEST_SUITE_P(All, KernelsTest,
                         testing::Values(&kResamplePortable, &kResampleAvx2),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

TEST(TransformImageTest, SameSizeIsACopy) {
  const cv::Mat picture = MakePicture(48, 48, 3, 5);
  std::vector<uint8_t> out(size_t{3} * 48 * 48);
  ASSERT_TRUE(
      TransformImage(picture, Spec(48, 48, 48), absl::MakeSpan(out)).ok());
  EXPECT_EQ(std::memcmp(out.data(), picture.data, out.size()), 0);
}

TEST(TransformImageTest, WhatKeepsItsSizeIsCroppedAsTheResamplingWould) {
  for (const auto& [height, width] :
       std::vector<std::pair<int, int>>{{20, 20}, {20, 33}, {41, 20}}) {
    const cv::Mat picture = MakePicture(width, height, 3, 5);
    const TransformSpec spec = Spec(20, 13, 18);
    EXPECT_TRUE(KeepsItsSize(height, width, spec));
    std::vector<uint8_t> copied(3 * 13 * 18);
    std::vector<uint8_t> resampled(copied.size());
    ASSERT_TRUE(TransformImage(picture, spec, absl::MakeSpan(copied)).ok());
    ResampleWindow(picture, spec, *AvailableResampleKernels().front(),
                   resampled.data());
    EXPECT_EQ(copied, resampled) << height << " x " << width;
  }
  EXPECT_FALSE(KeepsItsSize(21, 21, Spec(20, 13, 18)));
  EXPECT_FALSE(KeepsItsSize(19, 40, Spec(20, 13, 18)));
}

TEST(TransformImageTest, ReadsAPartOfALargerPicture) {
  const cv::Mat whole = MakePicture(90, 70, 3, 6);
  const cv::Mat part = whole(cv::Rect(11, 7, 50, 40));
  const TransformSpec spec = Spec(32, 32, 32);
  std::vector<uint8_t> out(size_t{3} * 32 * 32);
  ASSERT_TRUE(TransformImage(part, spec, absl::MakeSpan(out)).ok());
  const cv::Mat expected = ReferenceTransform(part, spec);
  EXPECT_EQ(std::memcmp(out.data(), expected.data, out.size()), 0);
}

TEST(ResizeImageTest, OfASquareIsTheTransformWithoutACrop) {
  const cv::Mat whole = MakePicture(90, 70, 3, 6);
  const cv::Mat part = whole(cv::Rect(11, 7, 50, 50));
  std::vector<uint8_t> resized(size_t{3} * 32 * 32);
  ASSERT_TRUE(
      ResizeImage(part, 32, 32, ResizeFilter::kBicubic, absl::MakeSpan(resized))
          .ok());
  const cv::Mat expected = ReferenceTransform(part, Spec(32, 32, 32));
  EXPECT_EQ(std::memcmp(resized.data(), expected.data, resized.size()), 0);
}

// Both axes by themselves: of a picture whose rows are equal, each row of the
// result is that of a square with the same rows.
TEST(ResizeImageTest, ProportionsNeedNotBeKept) {
  const cv::Mat row = MakePicture(60, 1, 3, 7);
  cv::Mat flat(20, 60, CV_8UC3), square(60, 60, CV_8UC3);
  for (int y = 0; y < 20; ++y) row.copyTo(flat.row(y));
  for (int y = 0; y < 60; ++y) row.copyTo(square.row(y));
  std::vector<uint8_t> out(size_t{3} * 32 * 32), expected = out;
  ASSERT_TRUE(
      ResizeImage(flat, 32, 32, ResizeFilter::kBilinear, absl::MakeSpan(out))
          .ok());
  ASSERT_TRUE(ResizeImage(square, 32, 32, ResizeFilter::kBilinear,
                          absl::MakeSpan(expected))
                  .ok());
  EXPECT_EQ(out, expected);
}

TEST(ResizeImageTest, SizesOutOfRangeAreRefused) {
  const cv::Mat picture = MakePicture(10, 10, 3, 7);
  std::vector<uint8_t> out(size_t{3} * 8 * 8);
  const auto resize = [&](const cv::Mat& rgb, int height, int width) {
    return ResizeImage(rgb, height, width, ResizeFilter::kBicubic,
                       absl::MakeSpan(out));
  };
  EXPECT_TRUE(resize(picture, 8, 8).ok());
  EXPECT_TRUE(resize(picture, 4, 16).ok());
  EXPECT_FALSE(resize(picture, 8, 7).ok());
  EXPECT_FALSE(resize(picture, 0, 8).ok());
  EXPECT_FALSE(resize(picture, 8, 70000).ok());
  EXPECT_FALSE(resize(cv::Mat(), 8, 8).ok());
}

TEST(TransformImageTest, SizesOutOfRangeAreRefused) {
  const cv::Mat picture = MakePicture(10, 10, 3, 7);
  std::vector<uint8_t> out(size_t{3} * 8 * 8);
  const auto transform = [&](const cv::Mat& rgb, const TransformSpec& spec) {
    return TransformImage(rgb, spec, absl::MakeSpan(out));
  };
  EXPECT_TRUE(transform(picture, Spec(8, 8, 8)).ok());
  for (const TransformSpec& spec :
       {Spec(0, 8, 8), Spec(7, 8, 8), Spec(8, 0, 8), Spec(8, 8, -1),
        Spec(8, 9, 8), Spec(70000, 8, 8)}) {
    EXPECT_EQ(transform(picture, spec).code(),
              absl::StatusCode::kInvalidArgument)
        << spec.resize << " " << spec.crop_height << " " << spec.crop_width;
  }
  EXPECT_THAT(transform(picture, Spec(8, 8, 7)).message(),
              HasSubstr("3 bytes for every pixel"));
  EXPECT_THAT(transform(cv::Mat(), Spec(8, 8, 8)).message(),
              HasSubstr("8-bit RGB"));
  EXPECT_THAT(transform(cv::Mat(9, 9, CV_8UC1), Spec(8, 8, 8)).message(),
              HasSubstr("8-bit RGB"));
}

}  // namespace
}  // namespace groupmamba
