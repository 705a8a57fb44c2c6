// What good files become.

#include "model/image/decode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/image/exif.h"
#include "model/image/transform.h"
#include "opencv2/core.hpp"
#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

using Pixel = std::array<int, 3>;

cv::Mat Decode(const Bytes& bytes) {
  absl::StatusOr<cv::Mat> picture =
      DecodeImage(bytes, {}, *ThreadCpuClock::Get());
  EXPECT_TRUE(picture.ok()) << picture.status();
  return picture.ok() ? *picture : cv::Mat(1, 1, CV_8UC3);
}

Pixel At(const cv::Mat& rgb, int y, int x) {
  const auto& p = rgb.at<cv::Vec3b>(y, x);
  return {p[0], p[1], p[2]};
}

// The largest difference of a value.
double Difference(const cv::Mat& a, const cv::Mat& b) {
  EXPECT_EQ(a.size(), b.size());
  EXPECT_EQ(a.type(), b.type());
  return a.size() == b.size() ? cv::norm(a, b, cv::NORM_INF) : 256;
}

// ---- PNG: every colour type and depth that the format has, by definition of
// each

struct PngForm {
  const char* name;
  int color_type;
  int channels;
  int bit_depth;
  Bytes transparency;
};

constexpr int kGray = 0, kRgb = 2, kPalette = 3, kGrayAlpha = 4, kRgba = 6;

const PngForm kPngForms[] = {
    {"gray1", kGray, 1, 1, {}},
    {"gray2", kGray, 1, 2, {}},
    {"gray4", kGray, 1, 4, {}},
    {"gray8", kGray, 1, 8, {}},
    {"gray16", kGray, 1, 16, {}},
    {"gray8_one_clear", kGray, 1, 8, {0, 7}},
    {"gray16_one_clear", kGray, 1, 16, {0x12, 0x34}},
    {"rgb8", kRgb, 3, 8, {}},
    {"rgb16", kRgb, 3, 16, {}},
    {"rgb8_one_clear", kRgb, 3, 8, {0, 1, 0, 2, 0, 3}},
    {"palette1", kPalette, 1, 1, {}},
    {"palette2", kPalette, 1, 2, {}},
    {"palette4", kPalette, 1, 4, {}},
    {"palette8", kPalette, 1, 8, {}},
    {"palette8_alpha", kPalette, 1, 8, {0, 10, 128, 254}},
    {"gray_alpha8", kGrayAlpha, 2, 8, {}},
    {"gray_alpha16", kGrayAlpha, 2, 16, {}},
    {"rgba8", kRgba, 4, 8, {}},
    {"rgba16", kRgba, 4, 16, {}},
};

std::array<uint8_t, 3> PaletteColor(int i) {
  return {static_cast<uint8_t>(i * 37 + 11), static_cast<uint8_t>(255 - i),
          static_cast<uint8_t>(i * i)};
}

int OverWhite(int color, int alpha) {
  return static_cast<int>(
      std::lround((color * alpha + 255.0 * (255 - alpha)) / 255));
}

// What a pixel must become. `s`: its samples as stored.
Pixel Expected(const PngForm& form, const std::vector<int>& s) {
  const Bytes& clear = form.transparency;
  const auto is_clear = [&] {
    if (clear.empty()) return false;
    for (size_t c = 0; c < s.size(); ++c) {
      if (s[c] != clear[2 * c] * 256 + clear[2 * c + 1]) return false;
    }
    return true;
  };
  const auto to_8_bits = [&](int sample) {
    return form.bit_depth == 16 ? sample >> 8
                                : sample * 255 / ((1 << form.bit_depth) - 1);
  };
  Pixel color;
  int alpha = 255;
  if (form.color_type == kPalette) {
    const auto entry = PaletteColor(s[0]);
    color = {entry[0], entry[1], entry[2]};
    if (s[0] < static_cast<int>(clear.size())) alpha = clear[s[0]];
  } else {
    const bool gray = s.size() < 3;
    for (int c = 0; c < 3; ++c) color[c] = to_8_bits(s[gray ? 0 : c]);
    if (s.size() % 2 == 0) alpha = to_8_bits(s.back());
    if (is_clear()) alpha = 0;
  }
  for (int& c : color) c = OverWhite(c, alpha);
  return color;
}

class PngFormTest : public testing::TestWithParam<std::tuple<PngForm, bool>> {};

TEST_P(PngFormTest, PixelsFollowFromTheDefinition) {
  const PngForm& form = std::get<0>(GetParam());
  const bool interlaced = std::get<1>(GetParam());
  const bool wide = form.bit_depth == 16;
  // Sides that are no multiples of 8 leave ragged interlacing passes.
  cv::Mat samples(21, 19, CV_MAKETYPE(wide ? CV_16U : CV_8U, form.channels));
  cv::RNG random(1);
  random.fill(samples, cv::RNG::UNIFORM, 0, 1 << form.bit_depth);
  const auto sample = [&](int y, int x, int c) -> int {
    const int i = x * form.channels + c;
    return wide ? samples.ptr<uint16_t>(y)[i] : samples.ptr(y)[i];
  };
  if (wide) {  // the clear gray, and one that differs in the low byte alone
    samples.ptr<uint16_t>(3)[0] = 0x1234;
    samples.ptr<uint16_t>(3)[form.channels] = 0x12FF;
  } else if (form.channels == 3) {  // the clear colour
    samples.at<cv::Vec3b>(3, 0) = {1, 2, 3};
  }

  PngOptions options = {
      form.color_type, form.bit_depth, interlaced, {}, form.transparency};
  if (form.color_type == kPalette) {
    for (int i = 0; i < 1 << form.bit_depth; ++i) {
      options.palette.push_back(PaletteColor(i));
    }
  }
  const cv::Mat rgb = Decode(EncodePng(samples, options));

  ASSERT_EQ(rgb.size(), samples.size());
  for (int y = 0; y < rgb.rows; ++y) {
    for (int x = 0; x < rgb.cols; ++x) {
      std::vector<int> s;
      for (int c = 0; c < form.channels; ++c) s.push_back(sample(y, x, c));
      ASSERT_EQ(At(rgb, y, x), Expected(form, s)) << y << ", " << x;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PngFormTest,
                         testing::Combine(testing::ValuesIn(kPngForms),
                                          testing::Bool()),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) +
                                  (std::get<1>(info.param) ? "_interlaced"
                                                           : "");
                         });

// ---- JPEG and WebP lose precision: plain areas, within what that may cost

TEST(JpegTest, PlainColorsComeBack) {
  for (const cv::Scalar& color :
       {cv::Scalar(255, 0, 0), cv::Scalar(0, 255, 0), cv::Scalar(12, 34, 200),
        cv::Scalar(255, 255, 255), cv::Scalar(0, 0, 0)}) {
    const cv::Mat picture(40, 56, CV_8UC3, color);
    for (bool progressive : {false, true}) {
      JpegOptions options;
      options.progressive = progressive;
      EXPECT_LE(Difference(Decode(EncodeJpeg(picture, options)), picture), 2)
          << color;
    }
  }
}

TEST(JpegTest, GrayIsWidened) {
  const cv::Mat gray(9, 17, CV_8UC1, cv::Scalar(77));
  JpegOptions options;
  options.sampling = 1;
  EXPECT_LE(Difference(Decode(EncodeJpeg(gray, options)),
                       cv::Mat(9, 17, CV_8UC3, cv::Scalar(77, 77, 77))),
            1);
}

TEST(JpegTest, CmykAndYcckAreInvertedInks) {
  // Stored inverted: 255 is no ink. Half of the light passes the black ink.
  const cv::Mat inks(16, 16, CV_8UC4, cv::Scalar(255, 128, 0, 128));
  const cv::Mat rgb(16, 16, CV_8UC3, cv::Scalar(128, 64, 0));
  for (bool ycck : {false, true}) {
    JpegOptions options;
    options.ycck = ycck;
    options.sampling = 1;
    EXPECT_LE(Difference(Decode(EncodeJpeg(inks, options)), rgb), 2) << ycck;
  }
}

TEST(JpegTest, RestartMarkersChangeNothing) {
  const cv::Mat picture = MakePicture(70, 50, 3, 1);
  JpegOptions options;
  const cv::Mat without = Decode(EncodeJpeg(picture, options));
  options.restart_interval = 2;
  EXPECT_EQ(Difference(Decode(EncodeJpeg(picture, options)), without), 0);
}

TEST(WebpTest, LosslessComesBackExactly) {
  const cv::Mat picture = MakePicture(61, 45, 3, 2);
  EXPECT_EQ(Difference(Decode(EncodeWebp(picture, true)), picture), 0);
}

TEST(WebpTest, LossyPlainColorComesBack) {
  const cv::Mat picture(33, 48, CV_8UC3, cv::Scalar(200, 100, 50));
  EXPECT_LE(Difference(Decode(EncodeWebp(picture, false)), picture), 4);
}

TEST(WebpTest, AlphaIsLaidOverWhite) {
  cv::Mat rgba(20, 30, CV_8UC4, cv::Scalar(200, 100, 50, 128));
  rgba.colRange(0, 10).setTo(cv::Scalar(200, 100, 50, 0));
  cv::Mat rgb(20, 30, CV_8UC3, cv::Scalar(227, 177, 152));
  rgb.colRange(0, 10).setTo(cv::Scalar(255, 255, 255));
  EXPECT_EQ(Difference(Decode(EncodeWebp(rgba, true)), rgb), 0);
}

TEST(WebpTest, UnknownChunksAreSkipped) {
  const cv::Mat picture = MakePicture(24, 16, 3, 3);
  const Bytes file = ExtendWebp(EncodeWebp(picture, true), 24, 16, 0,
                                {{"ABCD", {1, 2, 3}}, {"XMP ", {4, 5}}});
  EXPECT_EQ(Difference(Decode(file), picture), 0);
}

// ---- orientation

// How a camera would store a picture that it wants shown as `upright`.
cv::Mat Store(const cv::Mat& upright, int orientation) {
  // Each is its own inverse, but for the quarter turns.
  const int inverse = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
  return TurnUpright(upright, inverse);
}

TEST(OrientationTest, EightCopiesGiveOnePictureInEveryFormat) {
  // Blocks of 8 x 8 in one colour each, which JPEG keeps apart: exactly equal.
  cv::Mat upright(40, 24, CV_8UC3);
  cv::RNG random(1);
  for (int y = 0; y < upright.rows; y += 8) {
    for (int x = 0; x < upright.cols; x += 8) {
      upright(cv::Rect(x, y, 8, 8))
          .setTo(cv::Scalar(random.uniform(0, 256), random.uniform(0, 256),
                            random.uniform(0, 256)));
    }
  }
  JpegOptions jpeg;
  jpeg.sampling = 1;
  const cv::Mat from_jpeg = Decode(EncodeJpeg(upright, jpeg));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const cv::Mat stored = Store(upright, orientation);
    const Bytes exif = MakeExif(orientation, orientation % 2 == 0);
    jpeg.exif = exif;
    EXPECT_EQ(Difference(Decode(EncodeJpeg(stored, jpeg)), from_jpeg), 0)
        << orientation;
    const Bytes png = BeforePngData(EncodePng(stored), PngChunk("eXIf", exif));
    EXPECT_EQ(Difference(Decode(png), upright), 0) << orientation;
    const Bytes webp = ExtendWebp(EncodeWebp(stored, true), stored.cols,
                                  stored.rows, 0x08, {{"EXIF", exif}});
    EXPECT_EQ(Difference(Decode(webp), upright), 0) << orientation;
  }
}

TEST(OrientationTest, DamagedExifIsIgnored) {
  const cv::Mat picture = MakePicture(16, 8, 3, 4);
  Bytes exif = MakeExif(6);
  exif.resize(15);
  EXPECT_EQ(Difference(Decode(BeforePngData(EncodePng(picture),
                                            PngChunk("eXIf", exif))),
                       picture),
            0);
  JpegOptions jpeg;
  jpeg.exif = exif;
  EXPECT_EQ(Decode(EncodeJpeg(picture, jpeg)).size(), picture.size());
}

// ---- harmless peculiarities

TEST(ToleranceTest, BytesAfterTheEndAreIgnored) {
  const cv::Mat picture = MakePicture(24, 16, 3, 5);
  for (Bytes file : {EncodeJpeg(picture), EncodePng(picture),
                     EncodeWebp(picture, true), EncodeWebp(picture, false)}) {
    const cv::Mat expected = Decode(file);
    file.insert(file.end(), 1000, 0xA5);
    EXPECT_EQ(Difference(Decode(file), expected), 0);
  }
}

// Before the end marker, where some cameras pad.
TEST(ToleranceTest, PaddingBeforeAJpegMarkerIsIgnored) {
  Bytes file = EncodeJpeg(MakePicture(24, 16, 3, 6));
  const cv::Mat expected = Decode(file);
  file.insert(file.end() - 2, 20, 0x00);
  EXPECT_EQ(Difference(Decode(file), expected), 0);
}

TEST(ToleranceTest, UnknownJfifRevisionIsIgnored) {
  Bytes file = EncodeJpeg(MakePicture(24, 16, 3, 7));
  const cv::Mat expected = Decode(file);
  ASSERT_EQ(std::string(file.begin() + 6, file.begin() + 10), "JFIF");
  file[11] = 9;  // its major revision
  EXPECT_EQ(Difference(Decode(file), expected), 0);
}

TEST(ToleranceTest, SpectralSelectionOfASequentialJpegIsIgnored) {
  Bytes file = EncodeJpeg(MakePicture(24, 16, 3, 8));
  const cv::Mat expected = Decode(file);
  // The last SOS marker: length, 3 components of 2 bytes, then first, last,
  // bits.
  const Bytes sos = {0xFF, 0xDA, 0x00, 0x0C, 0x03};
  const auto at = std::search(file.begin(), file.end(), sos.begin(), sos.end());
  ASSERT_NE(at, file.end());
  ASSERT_EQ(at[12], 63);
  at[12] = 0;
  EXPECT_EQ(Difference(Decode(file), expected), 0);
}

// ---- Scaled JPEG

TEST(DecodeScaledJpegTest, HalvesWhileTheShortSideSuffices) {
  const Bytes file = EncodeJpeg(MakePicture(640, 480, 3, 1));
  const auto size_at = [&](int sufficient_side) {
    return DecodeImage(file, {}, *ThreadCpuClock::Get(), sufficient_side)
        ->size();
  };
  EXPECT_EQ(size_at(0), cv::Size(640, 480));
  EXPECT_EQ(size_at(481), cv::Size(640, 480));
  EXPECT_EQ(size_at(241), cv::Size(640, 480));
  EXPECT_EQ(size_at(240), cv::Size(320, 240));
  EXPECT_EQ(size_at(120), cv::Size(160, 120));
  EXPECT_EQ(size_at(60), cv::Size(80, 60));
  EXPECT_EQ(size_at(1), cv::Size(80, 60));
}

TEST(DecodeScaledJpegTest, IsTurnedUprightToo) {
  JpegOptions options;
  options.exif = MakeExif(6);
  const Bytes file = EncodeJpeg(MakePicture(640, 480, 3, 1), options);
  EXPECT_EQ(DecodeImage(file, {}, *ThreadCpuClock::Get(), 100)->size(),
            cv::Size(120, 160));
}

TEST(DecodeScaledJpegTest, LimitsCountThePixelsOfTheFile) {
  DecodeLimits limits;
  limits.max_pixels = 640 * 480 - 1;
  const Bytes file = EncodeJpeg(MakePicture(640, 480, 3, 1));
  EXPECT_FALSE(DecodeImage(file, limits, *ThreadCpuClock::Get(), 1).ok());
}

// What the model sees, against the whole picture's.
TEST(DecodeScaledJpegTest, TwiceTheSizeGivesNearlyTheSameInput) {
  constexpr TransformSpec kSpec = {128, 112, 112, ResizeFilter::kBicubic};
  const Bytes file = EncodeJpeg(MakePicture(1280, 960, 3, 1));
  cv::Mat input[2];
  for (const int oversampling : {0, 2}) {
    const cv::Mat rgb = *DecodeImage(file, {}, *ThreadCpuClock::Get(),
                                     oversampling * kSpec.resize);
    EXPECT_EQ(rgb.rows, oversampling == 0 ? 960 : 480);
    cv::Mat& to = input[oversampling / 2];
    to.create(112, 112, CV_8UC3);
    ASSERT_TRUE(
        TransformImage(rgb, kSpec, {to.data, to.total() * to.elemSize()}).ok());
  }
  cv::Mat difference;
  cv::absdiff(input[0], input[1], difference);
  EXPECT_LE(cv::mean(difference.reshape(1))[0], 1.0);
}

}  // namespace
}  // namespace groupmamba
