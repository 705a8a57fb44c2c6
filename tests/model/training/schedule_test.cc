#include "model/training/schedule.h"

#include "gtest/gtest.h"

namespace groupmamba::training {
namespace {

constexpr ScheduleSpec kSpec = {.total_steps = 110,
                                .warmup_steps = 10,
                                .learning_rate = 2,
                                .final_fraction = 0.1};

TEST(LearningRate, RisesLinearlyThenFallsAsHalfACosine) {
  EXPECT_DOUBLE_EQ(LearningRate(kSpec, 0), 0.2);
  EXPECT_DOUBLE_EQ(LearningRate(kSpec, 4), 1.0);
  EXPECT_DOUBLE_EQ(LearningRate(kSpec, 9), 2.0);
  EXPECT_DOUBLE_EQ(LearningRate(kSpec, 10), 2.0);
  // Half way: the mean of the highest and the last rate.
  EXPECT_NEAR(LearningRate(kSpec, 60), 1.1, 1e-12);
  // A quarter of the way: 0.2 + 1.8 (1 + cos(pi / 4)) / 2.
  EXPECT_NEAR(LearningRate(kSpec, 35), 1.7363961030678928, 1e-12);
  EXPECT_NEAR(LearningRate(kSpec, 110), 0.2, 1e-12);
}

TEST(LearningRate, WithoutWarmUpBeginsAtItsHighest) {
  EXPECT_DOUBLE_EQ(
      LearningRate({.total_steps = 5, .warmup_steps = 0, .learning_rate = 3},
                   0),
      3);
}

TEST(EmaDecay, StartsLowAndEndsAtTheDecay) {
  EXPECT_DOUBLE_EQ(EmaDecay(0.999, 0), 0.1);
  EXPECT_DOUBLE_EQ(EmaDecay(0.999, 90), 0.91);
  EXPECT_DOUBLE_EQ(EmaDecay(0.999, 100'000), 0.999);
  EXPECT_DOUBLE_EQ(EmaDecay(0, 100'000), 0);
}

}  // namespace
}  // namespace groupmamba::training
