// groupmamba-decoder itself: its pixels and refusals are PreparePicture's, to
// the bit.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/isolation/decoder_pool.h"
#include "server/picture.h"
#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

constexpr TransformSpec kSpec = {
    .resize = 256, .crop_height = 224, .crop_width = 224};

class DecoderProgramTest : public ::testing::Test {
 protected:
  void Start(const DecodeLimits& limits, int jpeg_oversampling = 0) {
    limits_ = limits;
    jpeg_oversampling_ = jpeg_oversampling;
    auto started =
        DecoderPool::Start({.program = GM_BIN_DIR "/groupmamba-decoder",
                            .limits = limits,
                            .jpeg_oversampling = jpeg_oversampling,
                            .hang_after = std::chrono::minutes(1)},
                           1, RealClock::Get());
    ASSERT_TRUE(started.ok()) << started.status();
    pool_ = *std::move(started);
  }

  absl::Status ExpectTheSame(const Picture& picture) {
    std::vector<uint8_t> here(3 * 224 * 224);
    std::vector<uint8_t> there(here.size());
    const absl::Status expected = PreparePicture(
        picture, limits_, jpeg_oversampling_, kSpec, absl::MakeSpan(here));
    EXPECT_EQ(pool_->Prepare(picture, kSpec, absl::MakeSpan(there)), expected);
    if (expected.ok()) {
      EXPECT_EQ(there, here);
    }
    EXPECT_EQ(pool_->restarts(), 0);
    return expected;
  }

  absl::Status ExpectTheSame(const Bytes& file) {
    return ExpectTheSame(Picture{.kind = Picture::Kind::kFile, .bytes = file});
  }

  DecodeLimits limits_;
  int jpeg_oversampling_ = 0;
  std::unique_ptr<DecoderPool> pool_;
};

TEST_F(DecoderProgramTest, PicturesOfEveryFormatBecomeTheSamePixels) {
  Start({});
  const cv::Mat rgb = MakePicture(500, 375, 3, 1);
  const cv::Mat rgba = MakePicture(300, 400, 4, 2);
  JpegOptions progressive;
  progressive.progressive = true;
  progressive.exif = MakeExif(6);
  PngOptions with_alpha;
  with_alpha.color_type = 6;
  with_alpha.interlaced = true;
  for (const Bytes& file :
       {EncodeJpeg(rgb), EncodeJpeg(rgb, progressive), EncodeJpeg(rgba),
        EncodePng(rgb), EncodePng(rgba, with_alpha), EncodeWebp(rgb, false),
        EncodeWebp(rgba, true)}) {
    EXPECT_TRUE(ExpectTheSame(file).ok());
  }
}

TEST_F(DecoderProgramTest, JpegsAreDecodedAsSmallAsTheServerSays) {
  Start({}, 1);
  EXPECT_TRUE(ExpectTheSame(EncodeJpeg(MakePicture(1200, 1100, 3, 1))).ok());
}

TEST_F(DecoderProgramTest, PixelsOfAnySizeBecomeTheSame) {
  Start({});
  const std::vector<uint8_t> pixels(3 * 1000 * 700, 77);
  EXPECT_TRUE(ExpectTheSame(Picture{.kind = Picture::Kind::kPixels,
                                    .bytes = pixels,
                                    .width = 1000,
                                    .height = 700})
                  .ok());
}

TEST_F(DecoderProgramTest, RefusalsHaveTheSameWords) {
  Start({});
  const Bytes png = EncodePng(MakePicture(64, 48, 3, 1));
  Bytes cut = png;
  cut.resize(png.size() / 2);
  Bytes damaged = png;
  damaged[png.size() / 2] ^= 1;
  for (const Bytes& file :
       {Bytes{}, Bytes(100, 'x'), cut, damaged, Bytes((16 << 20) + 1, 'x')}) {
    EXPECT_EQ(ExpectTheSame(file).code(), absl::StatusCode::kInvalidArgument);
  }
}

// As large as the limits allow: the process's own limit of memory is higher.
TEST_F(DecoderProgramTest, TheLargestPictureFitsTheProcessesMemory) {
  DecodeLimits limits;
  limits.max_time = std::chrono::minutes(10);
  Start(limits);
  const cv::Mat gray(7000, 7000, CV_8UC1, cv::Scalar(99));
  PngOptions options;
  options.color_type = 0;
  EXPECT_TRUE(ExpectTheSame(EncodePng(gray, options)).ok());
  JpegOptions turned;
  turned.progressive = true;
  turned.exif = MakeExif(8);
  EXPECT_TRUE(ExpectTheSame(EncodeJpeg(gray, turned)).ok());
}

}  // namespace
}  // namespace groupmamba
