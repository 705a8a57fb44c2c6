#include "model/training/augment.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupmamba::training {
namespace {

using ::testing::ElementsAre;

constexpr int kSide = 8;

// Every pixel its own value, none black.
std::vector<uint8_t> Numbered() {
  std::vector<uint8_t> picture(kSide * kSide);
  std::iota(picture.begin(), picture.end(), uint8_t{1});
  return picture;
}

InputConfig Input() {
  return {.resize = kSide,
          .crop = kSide,
          .mean = {0.5f, 0.5f, 0.5f},
          .std = {0.25f, 0.25f, 0.25f}};
}

// The numbered picture in gray, changed; its first channel, which the others
// must equal.
std::vector<uint8_t> Changed(const AugmentSpec& spec, uint64_t number) {
  cv::Mat rgb(kSide, kSide, CV_8UC3);
  const std::vector<uint8_t> numbered = Numbered();
  for (int i = 0; i < kSide * kSide; ++i) {
    std::fill_n(rgb.data + 3 * i, 3, numbered[i]);
  }
  std::vector<uint8_t> out(kSide * kSide * 3, 77);
  EXPECT_TRUE(
      Augment(spec, Input(), Random({1, 2, number}), rgb, absl::MakeSpan(out))
          .ok());
  std::vector<uint8_t> first;
  for (int i = 0; i < kSide * kSide; ++i) {
    first.push_back(out[3 * i]);
    EXPECT_TRUE(out[3 * i + 1] == first[i] && out[3 * i + 2] == first[i]);
  }
  return first;
}

std::vector<uint8_t> Mirrored() {
  std::vector<uint8_t> picture = Numbered();
  for (int y = 0; y < kSide; ++y) {
    std::reverse(picture.begin() + y * kSide,
                 picture.begin() + (y + 1) * kSide);
  }
  return picture;
}

// Steele et al.'s generator from the state 0.
TEST(Random, IsSplitMix64) {
  Random random({});
  EXPECT_EQ(random.Next(), 0xE220A8397B1DCDAFu);
  EXPECT_EQ(random.Next(), 0x6E789E6AA1B965F4u);
}

TEST(Random, NormalHasMeanZeroAndVarianceOne) {
  Random random({1});
  double sum = 0, squares = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double x = random.Normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / 100'000, 0, 0.02);
  EXPECT_NEAR(squares / 100'000, 1, 0.02);
}

TEST(Random, EachKeyMatters) {
  const uint64_t first = Random({1, 2, 3}).Next();
  EXPECT_NE(Random({9, 2, 3}).Next(), first);
  EXPECT_NE(Random({1, 9, 3}).Next(), first);
  EXPECT_NE(Random({1, 2, 9}).Next(), first);
  EXPECT_EQ(Random({1, 2, 3}).Next(), first);
}

TEST(Augment, WithoutChangesIsThePicture) {
  for (uint64_t number = 0; number < 20; ++number) {
    EXPECT_EQ(Changed({.flip = false}, number), Numbered());
  }
}

TEST(Augment, FlipsAboutHalf) {
  int flipped = 0;
  for (uint64_t number = 0; number < 200; ++number) {
    const std::vector<uint8_t> out = Changed({.flip = true}, number);
    ASSERT_TRUE(out == Numbered() || out == Mirrored());
    flipped += out == Mirrored() ? 1 : 0;
  }
  EXPECT_GT(flipped, 70);
  EXPECT_LT(flipped, 130);
}

TEST(Augment, ShiftsByEveryAmountUpToTheLimitAndFillsWithBlack) {
  std::vector<std::vector<int>> seen(5, std::vector<int>(5));
  for (uint64_t number = 0; number < 500; ++number) {
    const std::vector<uint8_t> out =
        Changed({.flip = false, .shift = 2}, number);
    // Pixel (4, 4) of the picture has the value 4 * 8 + 4 + 1.
    const auto found = std::find(out.begin(), out.end(), 37) - out.begin();
    const int dy = static_cast<int>(found) / kSide - 4;
    const int dx = static_cast<int>(found) % kSide - 4;
    ASSERT_LE(std::max(std::abs(dy), std::abs(dx)), 2);
    ++seen[dy + 2][dx + 2];
    const int black = std::count(out.begin(), out.end(), 0);
    ASSERT_EQ(black,
              kSide * kSide - (kSide - std::abs(dy)) * (kSide - std::abs(dx)));
  }
  for (const std::vector<int>& row : seen) {
    EXPECT_GT(*std::min_element(row.begin(), row.end()), 0);
  }
}

TEST(Augment, CutsOutOneSquareAsOftenAsAsked) {
  int cut = 0;
  for (uint64_t number = 0; number < 400; ++number) {
    const std::vector<uint8_t> out = Changed(
        {.flip = false, .cutout_probability = 0.25, .cutout_side = 4}, number);
    int top = kSide, bottom = -1, left = kSide, right = -1, black = 0;
    for (int i = 0; i < kSide * kSide; ++i) {
      if (out[i] == 0) {
        ++black;
        top = std::min(top, i / kSide);
        bottom = std::max(bottom, i / kSide);
        left = std::min(left, i % kSide);
        right = std::max(right, i % kSide);
      } else {
        ASSERT_EQ(out[i], Numbered()[i]);
      }
    }
    if (black > 0) {
      ++cut;
      EXPECT_LE(bottom - top, 3);
      EXPECT_LE(right - left, 3);
      EXPECT_EQ(black, (bottom - top + 1) * (right - left + 1));
    }
  }
  EXPECT_GT(cut, 60);
  EXPECT_LT(cut, 140);
}

TEST(RandomCrop, StaysInsideAndTakesAsMuchAsAsked) {
  double least = 1, most = 0;
  for (uint64_t number = 0; number < 2000; ++number) {
    Random random({number});
    const cv::Rect part = RandomCrop(0.08, 120, 200, &random);
    ASSERT_EQ(part & cv::Rect(0, 0, 200, 120), part);
    const double share = static_cast<double>(part.area()) / (120 * 200);
    const double ratio = static_cast<double>(part.width) / part.height;
    ASSERT_GT(ratio, 0.72);  // 3:4, but for rounding
    ASSERT_LT(ratio, 1.38);
    least = std::min(least, share);
    most = std::max(most, share);
  }
  EXPECT_NEAR(least, 0.08, 0.01);
  EXPECT_GT(most, 0.75);  // the largest 4:3 in it has 0.8
}

TEST(RandomCrop, OfAStripIsItsMiddle) {
  Random random({1});
  EXPECT_EQ(RandomCrop(0.5, 1, 999, &random), cv::Rect(499, 0, 1, 1));
  EXPECT_EQ(RandomCrop(0.5, 999, 3, &random), cv::Rect(0, 497, 3, 4));
}

TEST(Augment, ARandomCropIsEnlargedToTheWholeSide) {
  // Left half black, right half white: a part of it has both or one of them.
  cv::Mat rgb(40, 80, CV_8UC3, cv::Scalar());
  rgb(cv::Rect(40, 0, 40, 40)) = cv::Scalar(255, 255, 255);
  std::set<int> whites;
  for (uint64_t number = 0; number < 50; ++number) {
    std::vector<uint8_t> out(kSide * kSide * 3);
    ASSERT_TRUE(Augment({.smallest_crop = 0.1, .flip = false}, Input(),
                        Random({number}), rgb, absl::MakeSpan(out))
                    .ok());
    ASSERT_TRUE(std::is_sorted(out.begin(), out.begin() + 3 * kSide));
    whites.insert(static_cast<int>(
        std::count(out.begin(), out.begin() + 3 * kSide, 255) / 3));
  }
  EXPECT_GT(whites.size(), 4u);
}

TEST(Augment, ErasesARectangleWithNoiseAsOftenAsAsked) {
  constexpr int kLarge = 64;
  InputConfig input = Input();
  input.resize = input.crop = kLarge;
  const cv::Mat black(kLarge, kLarge, CV_8UC3, cv::Scalar());
  int erased = 0;
  for (uint64_t number = 0; number < 400; ++number) {
    std::vector<uint8_t> out(kLarge * kLarge * 3);
    ASSERT_TRUE(Augment({.flip = false, .erase_probability = 0.25}, input,
                        Random({number}), black, absl::MakeSpan(out))
                    .ok());
    const cv::Mat picture(kLarge, kLarge, CV_8UC3, out.data());
    cv::Rect box;
    double sum = 0;
    for (int y = 0; y < kLarge; ++y) {
      for (int x = 0; x < kLarge; ++x) {
        const auto value = picture.at<cv::Vec3b>(y, x);
        if (value[0] + value[1] + value[2] == 0) continue;
        box |= cv::Rect(x, y, 1, 1);
        sum += (value[0] + value[1] + value[2]) / 3.0;
      }
    }
    if (box.empty()) continue;
    ++erased;
    const double share = static_cast<double>(box.area()) / (kLarge * kLarge);
    EXPECT_GT(share, 0.01);
    EXPECT_LT(share, 0.35);
    EXPECT_NEAR(sum / box.area(), 127, 15);  // the input's mean is 0.5
  }
  EXPECT_GT(erased, 60);
  EXPECT_LT(erased, 140);
}

TEST(EpochOrder, VisitsEveryPictureOnce) {
  std::vector<int32_t> order = EpochOrder(1, 0, 1000);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(order[i], i);
  }
}

TEST(EpochOrder, DependsOnSeedAndEpochAlone) {
  EXPECT_EQ(EpochOrder(1, 3, 100), EpochOrder(1, 3, 100));
  EXPECT_NE(EpochOrder(1, 3, 100), EpochOrder(1, 4, 100));
  EXPECT_NE(EpochOrder(1, 3, 100), EpochOrder(2, 3, 100));
  EXPECT_THAT(EpochOrder(1, 0, 1), ElementsAre(0));
}

}  // namespace
}  // namespace groupmamba::training
