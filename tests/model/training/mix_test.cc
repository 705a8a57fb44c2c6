#include "model/training/mix.h"

#include <cmath>

#include "gtest/gtest.h"

namespace groupmamba::training {
namespace {

constexpr int kSide = 32;
constexpr int kDraws = 4000;

TEST(DrawMix, WithoutEitherNothingIsMixed) {
  for (uint64_t number = 0; number < 100; ++number) {
    const Mix mix = DrawMix({}, kSide, Random({number}));
    EXPECT_EQ(mix.share, 1);
    EXPECT_TRUE(mix.box.empty());
  }
}

TEST(DrawMix, AStepDecidesIt) {
  const MixSpec spec = {.mixup = 0.8};
  const double share = DrawMix(spec, kSide, MixRandom(1, 5)).share;
  EXPECT_EQ(DrawMix(spec, kSide, MixRandom(1, 5)).share, share);
  EXPECT_NE(DrawMix(spec, kSide, MixRandom(1, 6)).share, share);
  EXPECT_NE(DrawMix(spec, kSide, MixRandom(2, 5)).share, share);
}

// Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)).
TEST(DrawMix, SharesAreBetaDistributed) {
  for (const double a : {0.2, 0.8, 1.0, 4.0}) {
    double sum = 0, squares = 0;
    for (uint64_t number = 0; number < kDraws; ++number) {
      const Mix mix = DrawMix({.mixup = a}, kSide, Random({number}));
      EXPECT_TRUE(mix.box.empty());
      EXPECT_GE(mix.share, 0);
      EXPECT_LE(mix.share, 1);
      sum += mix.share - 0.5;
      squares += (mix.share - 0.5) * (mix.share - 0.5);
    }
    EXPECT_NEAR(sum / kDraws, 0, 0.03) << a;
    EXPECT_NEAR(squares / kDraws, 1 / (4 * (2 * a + 1)), 0.01) << a;
  }
}

TEST(DrawMix, ACutmixBoxCoversTheShareItClaims) {
  double covered = 0;
  for (uint64_t number = 0; number < kDraws; ++number) {
    const Mix mix = DrawMix({.cutmix = 1}, kSide, Random({number}));
    ASSERT_EQ(mix.box & cv::Rect(0, 0, kSide, kSide), mix.box);
    ASSERT_DOUBLE_EQ(mix.share,
                     1 - static_cast<double>(mix.box.area()) / (kSide * kSide));
    covered += 1 - mix.share;
  }
  // Half the area on average, less what falls off the edges.
  EXPECT_GT(covered / kDraws, 0.2);
  EXPECT_LT(covered / kDraws, 0.5);
}

TEST(DrawMix, MixesAndSwitchesAsOftenAsAsked) {
  int unmixed = 0, cut = 0;
  for (uint64_t number = 0; number < kDraws; ++number) {
    const Mix mix = DrawMix(
        {.mixup = 0.8, .cutmix = 1, .probability = 0.75, .cutmix_share = 0.25},
        kSide, Random({number}));
    unmixed += mix.share == 1 && mix.box.empty() ? 1 : 0;
    cut += mix.box.empty() ? 0 : 1;
  }
  EXPECT_NEAR(unmixed, 0.25 * kDraws, 0.03 * kDraws);
  EXPECT_NEAR(cut, 0.75 * 0.25 * kDraws, 0.03 * kDraws);
}

}  // namespace
}  // namespace groupmamba::training
