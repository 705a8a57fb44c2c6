// What is refused for its cost, before or while it is decoded.

#include <algorithm>
#include <chrono>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/image/decode.h"
#include "tests/testing/counting_clock.h"
#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;
using ::testing::StartsWith;

constexpr Duration kStandsStill{0};

std::string Outcome(const Bytes& bytes, const DecodeLimits& limits = {},
                    Duration step = kStandsStill) {
  const auto picture = DecodeImage(bytes, limits, CountingClock(step));
  if (picture.ok()) return "ok";
  EXPECT_EQ(picture.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(picture.status().message());
}

void PutBigEndian16(int value, uint8_t* at) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

// The file with other sides in its frame header.
Bytes JpegThatClaims(int width, int height) {
  Bytes file = EncodeJpeg(MakePicture(64, 64, 3, 1));
  const Bytes sof = {0xFF, 0xC0, 0x00, 0x11, 0x08};
  const auto at = std::search(file.begin(), file.end(), sof.begin(), sof.end());
  PutBigEndian16(height, &at[5]);
  PutBigEndian16(width, &at[7]);
  return file;
}

Bytes PngThatClaims(uint32_t width, uint32_t height) {
  Bytes data;
  for (uint32_t side : {width, height}) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      data.push_back(static_cast<uint8_t>(side >> shift));
    }
  }
  const Bytes rest = {8, 2, 0, 0, 0};
  data.insert(data.end(), rest.begin(), rest.end());
  Bytes file = EncodePng(MakePicture(64, 64, 3, 1));
  const Bytes header = PngChunk("IHDR", data);
  std::copy(header.begin(), header.end(), file.begin() + 8);
  return file;
}

// Lossless, whose header has the sides less one in 14 bits each.
Bytes WebpThatClaims(int width, int height) {
  Bytes file = EncodeWebp(MakePicture(64, 64, 3, 1), true);
  constexpr int kSignature = 20;
  const uint32_t bits = static_cast<uint32_t>(width - 1) |
                        static_cast<uint32_t>(height - 1) << 14;
  for (int i = 0; i < 4; ++i) {
    file[kSignature + 1 + i] = static_cast<uint8_t>(bits >> (8 * i));
  }
  return file;
}

TEST(SizeLimitTest, ClaimedSizesAreRefusedBeforeDecoding) {
  EXPECT_THAT(Outcome(JpegThatClaims(30000, 30000)),
              StartsWith("too_many_pixels: the picture is 30000 x 30000"));
  EXPECT_THAT(Outcome(JpegThatClaims(65535, 65535)),
              StartsWith("too_many_pixels: "));
  EXPECT_THAT(Outcome(PngThatClaims(30000, 30000)),
              StartsWith("too_many_pixels: the picture is 30000 x 30000"));
  EXPECT_THAT(Outcome(PngThatClaims(0x7FFFFFFF, 0x7FFFFFFF)),
              StartsWith("too_many_pixels: "));
  EXPECT_THAT(Outcome(PngThatClaims(0xFFFFFFFF, 0xFFFFFFFF)),
              StartsWith("too_many_pixels: "));
  EXPECT_THAT(Outcome(WebpThatClaims(16384, 16384)),
              StartsWith("too_many_pixels: the picture is 16384 x 16384"));
}

TEST(SizeLimitTest, PictureWithoutPixelsIsCorrupt) {
  EXPECT_THAT(Outcome(JpegThatClaims(0, 10)), StartsWith("corrupt: "));
  EXPECT_THAT(Outcome(JpegThatClaims(10, 0)), StartsWith("corrupt: "));
  EXPECT_THAT(Outcome(PngThatClaims(0, 10)), StartsWith("corrupt: "));
  EXPECT_THAT(Outcome(PngThatClaims(10, 0)), StartsWith("corrupt: "));
}

TEST(SizeLimitTest, SizesWithinTheLimitsThatLackTheirDataAreRefused) {
  EXPECT_THAT(Outcome(JpegThatClaims(7000, 7000)), StartsWith("corrupt: "));
  EXPECT_THAT(Outcome(PngThatClaims(7000, 7000)), StartsWith("corrupt: "));
  EXPECT_THAT(Outcome(WebpThatClaims(7000, 7000)), StartsWith("corrupt: "));
}

TEST(SizeLimitTest, LimitIsInclusiveForPixelsAndSides) {
  const cv::Mat picture = MakePicture(50, 20, 3, 2);
  for (const Bytes& file :
       {EncodeJpeg(picture), EncodePng(picture), EncodeWebp(picture, false)}) {
    DecodeLimits limits;
    limits.max_pixels = 1000;
    limits.max_side = 50;
    EXPECT_EQ(Outcome(file, limits), "ok");
    limits.max_pixels = 999;
    EXPECT_THAT(Outcome(file, limits), StartsWith("too_many_pixels: "));
    limits.max_pixels = 1000;
    limits.max_side = 49;
    EXPECT_THAT(Outcome(file, limits), StartsWith("too_many_pixels: "));
  }
}

TEST(SizeLimitTest, LongestSideOfJpegIsTaken) {
  EXPECT_EQ(Outcome(EncodeJpeg(MakePicture(1, 65500, 3, 3))), "ok");
  EXPECT_EQ(Outcome(EncodePng(MakePicture(65500, 1, 3, 3))), "ok");
}

TEST(ByteLimitTest, TwentyMegabytesAreRefusedUnread) {
  Bytes file = EncodeJpeg(MakePicture(64, 64, 3, 1));
  file.resize(20'000'000);
  EXPECT_EQ(Outcome(file),
            "too_many_bytes: the file has 20000000 bytes; at most 16777216 are "
            "taken");
}

TEST(ByteLimitTest, LimitIsInclusive) {
  const Bytes file = EncodeJpeg(MakePicture(64, 64, 3, 1));
  DecodeLimits limits;
  limits.max_bytes = file.size();
  EXPECT_EQ(Outcome(file, limits), "ok");
  limits.max_bytes = file.size() - 1;
  EXPECT_THAT(Outcome(file, limits), StartsWith("too_many_bytes: "));
}

TEST(ComplexityTest, ManyScansAreRefused) {
  JpegOptions options;
  options.sampling = 1;
  options.scan_per_coefficient = true;
  const Bytes file = EncodeJpeg(MakePicture(64, 64, 3, 4), options);
  EXPECT_THAT(Outcome(file), StartsWith("too_complex: "));
  DecodeLimits limits;
  limits.max_scans = 3 * 64;
  EXPECT_EQ(Outcome(file, limits), "ok");
  limits.max_scans = 3 * 64 - 1;
  EXPECT_THAT(Outcome(file, limits), StartsWith("too_complex: "));
}

TEST(ComplexityTest, CoefficientsOfAProgressiveJpegAreBounded) {
  const cv::Mat picture = MakePicture(512, 512, 3, 5);
  JpegOptions options;
  options.progressive = true;
  DecodeLimits limits;
  // 512 x 512 x 1.5 samples of 2 bytes are 786,432.
  limits.max_codec_bytes = 700'000;
  EXPECT_THAT(Outcome(EncodeJpeg(picture, options), limits),
              StartsWith("too_complex: "));
  EXPECT_EQ(Outcome(EncodeJpeg(picture), limits), "ok");
  limits.max_codec_bytes = 1'500'000;
  EXPECT_EQ(Outcome(EncodeJpeg(picture, options), limits), "ok");
}

TEST(ComplexityTest, ManyPngChunksAreRefused) {
  Bytes chunks;
  const Bytes chunk = PngChunk("teXt", {});
  for (int i = 0; i < 19'990; ++i) {
    chunks.insert(chunks.end(), chunk.begin(), chunk.end());
  }
  const Bytes png = EncodePng(MakePicture(16, 16, 3, 6));
  EXPECT_EQ(Outcome(BeforePngData(png, chunks)), "ok");
  for (int i = 0; i < 10; ++i) {
    chunks.insert(chunks.end(), chunk.begin(), chunk.end());
  }
  EXPECT_THAT(Outcome(BeforePngData(png, chunks)), StartsWith("too_complex: "));
}

TEST(ComplexityTest, ManyWebpChunksAreRefused) {
  const Bytes webp = EncodeWebp(MakePicture(16, 16, 3, 6), true);
  const auto with_chunks = [&](size_t count) {
    return ExtendWebp(webp, 16, 16, 0,
                      std::vector<WebpChunk>(count, {"ABCD", {}}));
  };
  EXPECT_EQ(Outcome(with_chunks(19'998)), "ok");
  EXPECT_THAT(Outcome(with_chunks(19'999)), StartsWith("too_complex: "));
}

// 1.6 GB of text in 1.6 MB of file, which take seconds to inflate: the time
// budget is enough because they are skipped.
TEST(ComplexityTest, CompressedTextIsNotInflated) {
  Bytes data = {'n', 'a', 'm', 'e', 0, 0};
  const Bytes text = Deflate(Bytes(size_t{8} << 20));
  data.insert(data.end(), text.begin(), text.end());
  const Bytes chunk = PngChunk("zTXt", data);
  Bytes chunks;
  for (int i = 0; i < 200; ++i) {
    chunks.insert(chunks.end(), chunk.begin(), chunk.end());
  }
  const Bytes png = EncodePng(MakePicture(16, 16, 3, 7));
  const auto picture =
      DecodeImage(BeforePngData(png, chunks), {}, *ThreadCpuClock::Get());
  EXPECT_TRUE(picture.ok()) << picture.status();
}

TEST(TimeBudgetTest, EveryCodecStopsWhenTheTimeIsOver) {
  const cv::Mat picture = MakePicture(700, 700, 3, 8);
  JpegOptions progressive;
  progressive.progressive = true;
  PngOptions interlaced;
  interlaced.interlaced = true;
  const struct {
    const char* name;
    Bytes file;
  } kFiles[] = {
      {"baseline JPEG", EncodeJpeg(picture)},
      {"progressive JPEG", EncodeJpeg(picture, progressive)},
      {"PNG", EncodePng(picture)},
      {"interlaced PNG", EncodePng(picture, interlaced)},
      {"lossy WebP", EncodeWebp(picture, false)},
      {"lossless WebP", EncodeWebp(picture, true)},
  };
  for (const auto& [name, file] : kFiles) {
    DecodeLimits limits;
    limits.max_time = milliseconds(5);
    EXPECT_EQ(Outcome(file, limits, milliseconds(1)),
              "too_slow: decoding took longer than its time budget")
        << name;
    EXPECT_EQ(Outcome(file, limits), "ok") << name;
  }
}

TEST(TimeBudgetTest, DataAfterTheLastRowOfAPngAreInflatedWithinTheBudget) {
  // 16 x 16 pixels, and 64 MiB more than they need in 64 KiB of IDAT.
  Bytes file = EncodePng(cv::Mat::zeros(16, 16, CV_8UC3));
  const Bytes rows = Deflate(Bytes(size_t{64} << 20));
  const Bytes header(file.begin(), file.begin() + 33);
  Bytes bomb = header;
  for (const Bytes& chunk : {PngChunk("IDAT", rows), PngChunk("IEND", {})}) {
    bomb.insert(bomb.end(), chunk.begin(), chunk.end());
  }
  DecodeLimits limits;
  limits.max_time = milliseconds(10);
  EXPECT_THAT(Outcome(bomb, limits, milliseconds(1)), StartsWith("too_slow: "));
}

}  // namespace
}  // namespace groupmamba
