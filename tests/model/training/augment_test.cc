#include "model/training/augment.h"

#include <algorithm>
#include <numeric>
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

std::vector<uint8_t> Changed(const AugmentSpec& spec, uint64_t number) {
  std::vector<uint8_t> out(kSide * kSide, 77);
  Augment(spec, kSide, Random({1, 2, number}), Numbered(), absl::MakeSpan(out));
  return out;
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
