#include "model/training/progress.h"

#include <chrono>

#include "gtest/gtest.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba::training {
namespace {

constexpr ProgressState kState = {.epoch = 3,
                                  .epochs = 12,
                                  .steps = 1200,
                                  .total_steps = 5616,
                                  .loss = 0.53124,
                                  .gradient_norm = 1.25};

TEST(FormatProgress, NamesEpochStepLossGradientSpeedAndTimeLeft) {
  EXPECT_EQ(FormatProgress(kState, 301.4, 47 * 60),
            "epoch 3/12  step 1200/5616  loss 0.5312  gradient 1.25  301 "
            "images/s  47 min left");
}

TEST(Progress, PrintsInAPipeEveryHalfMinute) {
  SimulatedClock clock;
  Progress progress(&clock, /*terminal=*/false, /*batch=*/100);
  ::testing::internal::CaptureStderr();
  for (int second = 0; second < 29; ++second) {
    clock.Advance(std::chrono::seconds(1));
    progress.Update(kState);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ::testing::internal::CaptureStderr();
  clock.Advance(std::chrono::seconds(1));
  progress.Update(kState);
  // 4416 steps of 100 pictures at 100 a second.
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            FormatProgress(kState, 100, 4416) + "\n");
}

TEST(Progress, MeasuresTheLastWindowOnly) {
  SimulatedClock clock;
  Progress progress(&clock, /*terminal=*/false, /*batch=*/100);
  ::testing::internal::CaptureStderr();
  for (int step = 0; step < 30; ++step) {
    clock.Advance(std::chrono::seconds(1));
    progress.Update(kState);
  }
  EXPECT_DOUBLE_EQ(progress.images_per_s(), 100);
  for (int step = 0; step < 60; ++step) {
    clock.Advance(std::chrono::milliseconds(500));
    progress.Update(kState);
  }
  ::testing::internal::GetCapturedStderr();
  EXPECT_DOUBLE_EQ(progress.images_per_s(), 200);
}

TEST(Progress, TimeBeforeANoteDoesNotCountAsTraining) {
  SimulatedClock clock;
  Progress progress(&clock, /*terminal=*/false, /*batch=*/100);
  ::testing::internal::CaptureStderr();
  clock.Advance(std::chrono::seconds(1));
  progress.Update(kState);
  clock.Advance(std::chrono::seconds(20));
  progress.Note("tested");
  for (int step = 0; step < 30; ++step) {
    clock.Advance(std::chrono::seconds(1));
    progress.Update(kState);
  }
  ::testing::internal::GetCapturedStderr();
  EXPECT_DOUBLE_EQ(progress.images_per_s(), 100);
}

TEST(Progress, RewritesOneLineOnATerminal) {
  SimulatedClock clock;
  Progress progress(&clock, /*terminal=*/true, /*batch=*/100);
  ::testing::internal::CaptureStderr();
  clock.Advance(std::chrono::seconds(1));
  progress.Update(kState);
  progress.Note("epoch done");
  EXPECT_EQ(
      ::testing::internal::GetCapturedStderr(),
      "\r\033[K" + FormatProgress(kState, 100, 4416) + "\r\033[Kepoch done\n");
}

}  // namespace
}  // namespace groupmamba::training
