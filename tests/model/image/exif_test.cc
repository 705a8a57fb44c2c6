#include "model/image/exif.h"

#include <random>

#include "gtest/gtest.h"
#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

TEST(ReadExifOrientationTest, ReadsAllEightInBothByteOrders) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(ReadExifOrientation(MakeExif(orientation, true)), orientation);
    EXPECT_EQ(ReadExifOrientation(MakeExif(orientation, false)), orientation);
  }
}

TEST(ReadExifOrientationTest, PrefixOfJpegIsSkipped) {
  Bytes exif = MakeExif(6);
  const Bytes prefix = {'E', 'x', 'i', 'f', 0, 0};
  exif.insert(exif.begin(), prefix.begin(), prefix.end());
  EXPECT_EQ(ReadExifOrientation(exif), 6);
}

TEST(ReadExifOrientationTest, ValuesOutsideOneToEightMeanUpright) {
  for (int orientation : {0, 9, 255, 65535}) {
    EXPECT_EQ(ReadExifOrientation(MakeExif(orientation)), 1) << orientation;
  }
}

TEST(ReadExifOrientationTest, AnyCutBeforeTheValueMeansUpright) {
  const Bytes exif = MakeExif(6);
  constexpr size_t kValueEnd = 20;
  for (size_t size = 0; size <= exif.size(); ++size) {
    // A copy of just that size, so that the address sanitizer sees a read
    // beyond.
    const Bytes cut(exif.begin(), exif.begin() + size);
    EXPECT_EQ(ReadExifOrientation(cut), size < kValueEnd ? 1 : 6) << size;
  }
}

TEST(ReadExifOrientationTest, DamagedStructuresMeanUpright) {
  const struct {
    const char* what;
    size_t at;
    Bytes bytes;
  } kCases[] = {
      {"directory beyond the end", 4, {0xFF, 0xFF, 0xFF, 0x7F}},
      {"directory at the last offset", 4, {0xFF, 0xFF, 0xFF, 0xFF}},
      {"another tag, and 65,535 entries", 8, {0xFF, 0xFF, 0x13}},
      {"the type LONG", 12, {4}},
      {"two values", 14, {2}},
      {"another byte order", 0, {'I', 'M'}},
      {"another magic number", 2, {43}},
  };
  for (const auto& c : kCases) {
    Bytes exif = MakeExif(6);
    std::copy(c.bytes.begin(), c.bytes.end(), exif.begin() + c.at);
    EXPECT_EQ(ReadExifOrientation(exif), 1) << c.what;
  }
}

TEST(ReadExifOrientationTest, RandomDamageGivesAnOrientation) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    Bytes exif = MakeExif(6, i % 2 == 0);
    exif.resize(8 + random() % (exif.size() - 7));
    for (int n = 0; n < 3; ++n) {
      exif[random() % exif.size()] = static_cast<uint8_t>(random());
    }
    const int orientation = ReadExifOrientation(exif);
    EXPECT_TRUE(orientation >= 1 && orientation <= 8) << orientation;
  }
}

// What EXIF 2.3 says of each value: where row 0 and column 0 of the stored
// picture are to be seen.
TEST(TurnUprightTest, FirstRowAndColumnGoWhereExifSays) {
  // Stored: a b c
  //         d e f
  const cv::Mat stored =
      (cv::Mat_<uint8_t>(2, 3) << 'a', 'b', 'c', 'd', 'e', 'f');
  const char* const kUpright[] = {"abc/def",  "cba/fed",  "fed/cba",
                                  "def/abc",  "ad/be/cf", "da/eb/fc",
                                  "fc/eb/da", "cf/be/ad"};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const cv::Mat upright = TurnUpright(stored, orientation);
    std::string text;
    for (int y = 0; y < upright.rows; ++y) {
      if (y > 0) text += '/';
      text.append(upright.ptr<char>(y), upright.cols);
    }
    EXPECT_EQ(text, kUpright[orientation - 1]) << orientation;
  }
}

}  // namespace
}  // namespace groupmamba
