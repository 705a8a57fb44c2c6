// Damaged and disguised files: an error that names its reason, and the next
// good picture decodes as ever.

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/image/decode.h"
#include "opencv2/core.hpp"
#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

using ::testing::AnyOf;
using ::testing::StartsWith;

struct Sample {
  std::string name;
  Bytes file;
};

// Small files of every kind that takes another way through a codec.
std::vector<Sample> Samples() {
  const cv::Mat rgb = MakePicture(24, 16, 3, 1);
  const cv::Mat rgba = MakePicture(24, 16, 4, 2);
  JpegOptions progressive, restarts;
  progressive.progressive = true;
  progressive.exif = MakeExif(6);
  restarts.restart_interval = 1;
  PngOptions interlaced;
  interlaced.color_type = 6;
  interlaced.interlaced = true;
  const Bytes simple = EncodeWebp(rgb, true);
  return {
      {"baseline JPEG", EncodeJpeg(rgb)},
      {"progressive JPEG", EncodeJpeg(rgb, progressive)},
      {"JPEG with restarts", EncodeJpeg(rgb, restarts)},
      {"CMYK JPEG", EncodeJpeg(rgba)},
      {"PNG", EncodePng(rgb)},
      {"interlaced PNG with alpha and EXIF",
       BeforePngData(EncodePng(rgba, interlaced),
                     PngChunk("eXIf", MakeExif(5)))},
      {"lossy WebP", EncodeWebp(rgb, false)},
      {"lossless WebP", simple},
      {"lossy WebP with alpha", EncodeWebp(rgba, false)},
      {"WebP with EXIF",
       ExtendWebp(simple, 24, 16, 0x08, {{"EXIF", MakeExif(8)}})},
  };
}

absl::StatusOr<cv::Mat> Decode(const Bytes& bytes) {
  return DecodeImage(bytes, {}, *ThreadCpuClock::Get());
}

std::string Outcome(const Bytes& bytes) {
  const auto picture = Decode(bytes);
  if (picture.ok()) return "ok";
  EXPECT_EQ(picture.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(picture.status().message());
}

// "<reason>: <sentence>" in the words of decode.h.
bool IsKnownReason(absl::string_view message) {
  const std::vector<absl::string_view> parts = absl::StrSplit(message, ": ");
  if (parts.size() != 2) return false;
  for (absl::string_view reason :
       {"unknown_format", "truncated", "corrupt", "too_many_pixels",
        "too_complex", "too_slow", "animated", "unsupported"}) {
    if (parts[0] == reason) return true;
  }
  return false;
}

// Decodes a good picture of every kind when the test ends, and compares it with
// what it was at the start: nothing that a bad file did may be left over.
class HostileTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const Sample& sample : samples_) {
      good_.push_back(Decode(sample.file).value());
    }
  }
  void TearDown() override {
    for (size_t i = 0; i < samples_.size(); ++i) {
      const cv::Mat again = Decode(samples_[i].file).value();
      EXPECT_EQ(cv::norm(again, good_[i], cv::NORM_INF), 0) << samples_[i].name;
    }
  }

  const std::vector<Sample> samples_ = Samples();
  std::vector<cv::Mat> good_;
};

TEST_F(HostileTest, EmptyInputIsNamedSo) {
  EXPECT_EQ(Outcome({}), "empty_image: there are no bytes");
}

TEST_F(HostileTest, EveryPrefixIsTruncated) {
  for (const Sample& sample : samples_) {
    for (size_t size = 1; size < sample.file.size(); ++size) {
      // A copy of just that size: the address sanitizer sees a read beyond it.
      const Bytes prefix(sample.file.begin(), sample.file.begin() + size);
      ASSERT_EQ(Outcome(prefix),
                "truncated: the file ends before the picture is complete")
          << sample.name << ", " << size << " of " << sample.file.size();
    }
  }
}

TEST_F(HostileTest, EveryFlippedBitOfAPngIsFound) {
  for (const Sample& sample : samples_) {
    if (sample.name.find("PNG") == std::string::npos) continue;
    for (size_t bit = 0; bit < 8 * sample.file.size(); ++bit) {
      Bytes file = sample.file;
      file[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      ASSERT_NE(Outcome(file), "ok") << sample.name << ", bit " << bit;
    }
  }
}

// JPEG and WebP have no checksums: a damaged file may look like another
// picture, but it is a picture within the limits, or an error with a known
// reason and safe words.
TEST_F(HostileTest, FlippedBitsGiveAPictureOrAKnownReason) {
  std::mt19937 random(1);
  int errors = 0;
  constexpr int kFlips = 10'000;  // of each sample: 100,000
  for (const Sample& sample : samples_) {
    for (int i = 0; i < kFlips; ++i) {
      Bytes file = sample.file;
      for (unsigned n = 0; n <= random() % 4; ++n) {
        file[random() % file.size()] ^= static_cast<uint8_t>(1 << random() % 8);
      }
      const auto picture = Decode(file);
      if (picture.ok()) {
        ASSERT_EQ(picture->type(), CV_8UC3);
        ASSERT_LE(picture->total(), 50'000'000u);
        continue;
      }
      ++errors;
      ASSERT_EQ(picture.status().code(), absl::StatusCode::kInvalidArgument);
      ASSERT_TRUE(IsKnownReason(picture.status().message()))
          << picture.status();
    }
  }
  EXPECT_GT(errors, 3 * kFlips);
}

TEST_F(HostileTest, RandomBytesAreOfNoFormat) {
  std::mt19937 random(2);
  for (int i = 0; i < 1000; ++i) {
    Bytes bytes(16 + random() % 2000);
    std::generate(bytes.begin(), bytes.end(), std::ref(random));
    EXPECT_THAT(Outcome(bytes), StartsWith("unknown_format: "));
  }
}

TEST_F(HostileTest, RandomBytesAfterAGoodBeginningAreRefused) {
  std::mt19937 random(3);
  for (const Sample& sample : samples_) {
    for (int i = 0; i < 200; ++i) {
      const size_t keep = 16 + random() % (sample.file.size() / 2);
      Bytes file(sample.file.begin(), sample.file.begin() + keep);
      file.resize(sample.file.size() + random() % 500);
      std::generate(file.begin() + keep, file.end(), std::ref(random));
      // A WebP file can say little enough that random bytes make a picture of
      // it.
      EXPECT_THAT(Outcome(file),
                  AnyOf(StartsWith("corrupt: "), StartsWith("truncated: "),
                        StartsWith("unsupported: "), StartsWith("too_"),
                        StartsWith("animated: "), "ok"))
          << sample.name;
    }
  }
}

TEST_F(HostileTest, WrongMagicWithARightTailIsOfNoFormat) {
  for (const Sample& sample : samples_) {
    Bytes file = sample.file;
    file[1] ^= 0x20;
    EXPECT_EQ(Outcome(file),
              "unknown_format: the bytes are not a JPEG, PNG or WebP picture")
        << sample.name;
  }
}

TEST_F(HostileTest, MagicOfOneFormatBeforeAnotherIsRefused) {
  for (const Sample& head : samples_) {
    for (const Sample& tail : samples_) {
      if (head.file[0] == tail.file[0]) continue;
      Bytes file = tail.file;
      std::copy_n(head.file.begin(), 16, file.begin());
      EXPECT_THAT(Outcome(file),
                  AnyOf(StartsWith("truncated: "), StartsWith("corrupt: ")))
          << head.name << " before " << tail.name;
    }
  }
}

TEST_F(HostileTest, OtherFormatsAreNotTaken) {
  for (const std::string magic :
       {"GIF89a", "BM", "II*", "MM", "RIFF\1\2\3\4AVI LIST", "8BPS",
        "NITF02.10", "v/1\1", "%PDF-1.4", "<svg xmlns=", "ftypheic"}) {
    Bytes file(magic.begin(), magic.end());
    file.resize(200);
    EXPECT_THAT(Outcome(file), StartsWith("unknown_format: ")) << magic;
  }
}

// 135 bytes that abort a process which hands them to cv::imdecode: RIFF and
// WebP's magic, "DICM" at 128.
TEST_F(HostileTest, PolyglotOfWebpAndDicomIsRefused) {
  for (const std::string& type : {std::string("VP8\0", 4), std::string("VP8 "),
                                  std::string("VP8L"), std::string("VP8X")}) {
    const std::string magic = std::string("RIFF\x7F\0\0\0WEBP", 12) + type;
    Bytes file(magic.begin(), magic.end());
    file.resize(135);
    const std::string dicom = "DICM";
    std::copy(dicom.begin(), dicom.end(), file.begin() + 128);
    EXPECT_NE(Outcome(file), "ok") << type;
  }
}

TEST_F(HostileTest, AnimatedPicturesAreNamedSo) {
  const cv::Mat rgb = MakePicture(24, 16, 3, 1);
  const Bytes still = EncodeWebp(rgb, true);
  Bytes frame(16);  // offset 0, 24 x 16, no duration
  frame[6] = 23;
  frame[9] = 15;
  frame.insert(frame.end(), still.begin() + 12, still.end());
  const Bytes webp = MakeWebp({WebpExtendedHeader(0x02, 24, 16),
                               {"ANIM", Bytes(6)},
                               {"ANMF", frame},
                               {"ANMF", frame}});
  EXPECT_EQ(Outcome(webp), "animated: animated pictures are not taken");
  const Bytes apng =
      BeforePngData(EncodePng(rgb), PngChunk("acTL", {0, 0, 0, 2, 0, 0, 0, 0}));
  EXPECT_EQ(Outcome(apng), "animated: animated pictures are not taken");
}

TEST_F(HostileTest, ScanThatEndsEarlyIsCorrupt) {
  // Much more than the padding that is tolerated.
  Bytes file = samples_[0].file;
  file.insert(file.end() - 2, 10'000, 0x00);
  EXPECT_THAT(Outcome(file), StartsWith("corrupt: "));
}

TEST_F(HostileTest, TwoComponentsAreUnsupported) {
  Bytes file = samples_[0].file;
  const Bytes sof = {0xFF, 0xC0, 0x00, 0x11};
  const auto at = std::search(file.begin(), file.end(), sof.begin(), sof.end());
  ASSERT_NE(at, file.end());
  at[4] = 12;  // bits a sample
  EXPECT_THAT(Outcome(file), StartsWith("unsupported: "));
  at[4] = 8;
  at[1] = 0xC3;  // a lossless frame
  EXPECT_THAT(Outcome(file), StartsWith("unsupported: "));
}

}  // namespace
}  // namespace groupmamba
