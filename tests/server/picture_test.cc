#include "server/picture.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "server/status_map.h"

namespace groupmamba {
namespace {

using absl::StatusCode;

Picture Pixels(int64_t width, int64_t height,
               const std::vector<uint8_t>& bytes) {
  return {.kind = Picture::Kind::kPixels,
          .bytes = bytes,
          .width = width,
          .height = height};
}

TEST(CheckPictureTest, NoPictureIsInvalid) {
  EXPECT_EQ(CheckPicture({}, {}), Error(Reason::kNoPicture));
}

TEST(CheckPictureTest, PixelsMustHaveTheStatedSize) {
  const std::vector<uint8_t> six(6);
  const struct {
    int64_t width, height;
    StatusCode code;
  } table[] = {
      {2, 1, StatusCode::kOk},
      {1, 2, StatusCode::kOk},
      {0, 1, StatusCode::kInvalidArgument},
      {1, 0, StatusCode::kInvalidArgument},
      {1, 1, StatusCode::kInvalidArgument},
      {3, 1, StatusCode::kInvalidArgument},
      // 3 * width * height is 6 modulo 2^32.
      {0x55555558, 1, StatusCode::kInvalidArgument},
      {UINT32_MAX, UINT32_MAX, StatusCode::kInvalidArgument},
  };
  for (const auto& row : table) {
    EXPECT_EQ(CheckPicture(Pixels(row.width, row.height, six), {}).code(),
              row.code)
        << row.width << "x" << row.height;
  }
}

TEST(CheckPictureTest, PixelsHaveTheSameCapAsFiles) {
  const std::vector<uint8_t> bytes(3 * 11 * 10);
  const DecodeLimits limits{.max_pixels = 109};
  EXPECT_EQ(CheckPicture(Pixels(11, 10, bytes), limits),
            Error(Reason::kTooManyPixels));
  EXPECT_TRUE(CheckPicture(Pixels(11, 10, bytes), {.max_pixels = 110}).ok());
}

TEST(PreparePictureTest, PixelsOfTheModelsSizeArriveAsTheyAre) {
  std::vector<uint8_t> pixels(3 * 8 * 8);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = 7 * i % 256;
  std::vector<uint8_t> out(pixels.size());
  const TransformSpec spec{.resize = 8, .crop_height = 8, .crop_width = 8};
  ASSERT_TRUE(
      PreparePicture(Pixels(8, 8, pixels), {}, 0, spec, absl::MakeSpan(out))
          .ok());
  EXPECT_EQ(out, pixels);
}

// Its border would be lost if it were resized to `resize` and cropped again.
TEST(PreparePictureTest, AModelsOwnInputIsNeitherResizedNorCropped) {
  std::vector<uint8_t> pixels(3 * 8 * 8);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = 7 * i % 256;
  const Picture picture = {.kind = Picture::Kind::kModelInput,
                           .bytes = pixels,
                           .width = 8,
                           .height = 8};
  const TransformSpec spec{.resize = 10, .crop_height = 8, .crop_width = 8};
  std::vector<uint8_t> out(pixels.size());
  ASSERT_TRUE(PreparePicture(picture, {}, 0, spec, absl::MakeSpan(out)).ok());
  EXPECT_EQ(out, pixels);
  out.pop_back();
  EXPECT_EQ(PreparePicture(picture, {}, 0, spec, absl::MakeSpan(out)),
            Error(Reason::kBadShape));
}

TEST(PreparePictureTest, AFileThatIsNoPictureIsInvalid) {
  const std::vector<uint8_t> text = {'h', 'e', 'l', 'l', 'o'};
  std::vector<uint8_t> out(3 * 8 * 8);
  const TransformSpec spec{.resize = 8, .crop_height = 8, .crop_width = 8};
  const absl::Status status =
      PreparePicture({.kind = Picture::Kind::kFile, .bytes = text}, {}, 0, spec,
                     absl::MakeSpan(out));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message().substr(0, 14), "unknown_format");
}

TEST(TransformForTest, FollowsTheModelsInput) {
  const TransformSpec spec = TransformFor(
      {.resize = 256, .crop = 224, .interpolation = Interpolation::kBilinear});
  EXPECT_EQ(spec.resize, 256);
  EXPECT_EQ(spec.crop_height, 224);
  EXPECT_EQ(spec.crop_width, 224);
  EXPECT_EQ(spec.filter, ResizeFilter::kBilinear);
}

}  // namespace
}  // namespace groupmamba
