// The SS2D core's kernel, run by the executor, against the double oracle.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "tests/kernels/cuda/ss2d_core_case.h"

namespace groupmamba::testing {
namespace {

using ::testing::HasSubstr;

template <class T>
constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 5e-3;

// A group's width in some stage of tiny, small, base or the bundled model.
constexpr int kWidths[] = {8, 16, 24, 32, 48, 87, 106, 112, 128};

struct Grid {
  int height, width;
};

// Runs the case in all three orders, with exact units and with the worst ones.
template <class T>
void ExpectRight(const Ss2dCase<T>& c, int segments) {
  SCOPED_TRACE(absl::StrCat(c.shape.height, "x", c.shape.width, " of ",
                            c.shape.group_width, " channels, ", segments,
                            " segments, ", 8 * sizeof(T), " bits"));
  const std::vector<double> want = WantedOutput(c);
  const Ss2dRun<T> run = RunSs2dCore(c, segments, {});
  ASSERT_EQ(run.failure, "");
  EXPECT_LE(ErrorOf(run, want), kTolerance<T>);
  for (Order order : {Order::kReverse, Order::kShuffled}) {
    const Ss2dRun<T> other = RunSs2dCore(c, segments, {.order = order});
    ASSERT_EQ(other.failure, "");
    EXPECT_TRUE(SameBits(other.out, run.out));
  }
  const Ss2dRun<T> worst = RunSs2dCore(c, segments, {.worst_units = true});
  ASSERT_EQ(worst.failure, "");
  EXPECT_LE(ErrorOf(worst, want), kTolerance<T>);
}

class Ss2dCoreTest : public ::testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(GroupWidths, Ss2dCoreTest,
                         ::testing::ValuesIn(kWidths),
                         ::testing::PrintToStringParamName());

TEST_P(Ss2dCoreTest, AgreesWithTheOracleInFourDirections) {
  for (const Grid g : {Grid{1, 1}, {7, 7}, {5, 3}, {1, 9}, {9, 2}, {3, 17}}) {
    ExpectRight(MakeSs2dCase<float>(1, g.height, g.width, GetParam(), 1), 0);
    ExpectRight(MakeSs2dCase<cuda::Bf16>(1, g.height, g.width, GetParam(), 1),
                0);
  }
}

TEST_P(Ss2dCoreTest, TheGridOfTheThirdStage) {
  const auto c = MakeSs2dCase<cuda::Bf16>(1, 14, 14, GetParam(), 2);
  const auto run = RunSs2dCore(c, 0, {.order = Order::kShuffled});
  ASSERT_EQ(run.failure, "");
  EXPECT_LE(ErrorOf(run, WantedOutput(c)), kTolerance<cuda::Bf16>);
}

TEST_P(Ss2dCoreTest, SegmentsDoNotChangeABit) {
  const auto c = MakeSs2dCase<cuda::Bf16>(2, 7, 5, GetParam(), 3);
  const auto whole = RunSs2dCore(c, 1, {});
  ASSERT_EQ(whole.failure, "");
  for (int segments = 2; segments <= 8; ++segments) {
    const auto run = RunSs2dCore(
        c, segments,
        {.order = segments % 2 ? Order::kReverse : Order::kShuffled});
    ASSERT_EQ(run.failure, "") << segments;
    EXPECT_TRUE(SameBits(run.out, whole.out)) << segments;
  }
}

TEST_P(Ss2dCoreTest, SegmentsInFp32) {
  const auto c = MakeSs2dCase<float>(1, 6, 7, GetParam(), 4);
  for (int segments : {3, 8}) ExpectRight(c, segments);
}

TEST(Ss2dCore, MoreSegmentsThanLinesLeaveSomeEmpty) {
  for (int segments = 1; segments <= 8; ++segments) {
    ExpectRight(MakeSs2dCase<float>(1, 1, 1, 16, 5), segments);
    ExpectRight(MakeSs2dCase<cuda::Bf16>(2, 3, 2, 87, 5), segments);
  }
}

TEST(Ss2dCore, TheFirstStageInSegments) {
  const auto c = MakeSs2dCase<cuda::Bf16>(1, 56, 56, 16, 6);
  const auto run = RunSs2dCore(c, 0, {});
  ASSERT_EQ(run.failure, "");
  EXPECT_EQ(run.plan.segments, 4);
  EXPECT_LE(ErrorOf(run, WantedOutput(c)), kTolerance<cuda::Bf16>);
}

// An image's answer does not depend on its neighbours in the batch.
TEST(Ss2dCore, ABatchIsItsImagesOneByOne) {
  const auto batch = MakeSs2dCase<cuda::Bf16>(3, 4, 5, 24, 7);
  const auto together = RunSs2dCore(batch, 2, {});
  // An image's part of a group, in the input.
  const size_t part = batch.xz.size() / (3 * cuda::kGroups);
  for (int n = 0; n < 3; ++n) {
    auto alone = batch;
    alone.shape.batch = 1;
    alone.xz.clear();
    std::vector<cuda::Bf16> want;
    for (int g = 0; g < cuda::kGroups; ++g) {
      const size_t at = (g * 3 + n) * part;
      alone.xz.insert(alone.xz.end(), batch.xz.begin() + at,
                      batch.xz.begin() + at + part);
      want.insert(want.end(), together.out.begin() + at / 2,
                  together.out.begin() + (at + part) / 2);
    }
    const auto run = RunSs2dCore(alone, 1, {});
    ASSERT_EQ(run.failure, "");
    EXPECT_TRUE(SameBits(run.out, want));
  }
}

TEST(Ss2dCore, InputsOfAnySizeGiveFiniteOutputs) {
  for (float big : {100.0f, 1e4f, 1e8f}) {
    auto c = MakeSs2dCase<float>(1, 5, 4, 16, 8);
    for (float& x : c.xz) x *= big;
    const auto run = RunSs2dCore(c, 0, {});
    ASSERT_EQ(run.failure, "");
    for (float y : run.out) ASSERT_TRUE(std::isfinite(y)) << big;
  }
}

TEST(Ss2dCore, SharedMemoryIsNoLongerThanNeeded) {
  const auto c = MakeSs2dCase<cuda::Bf16>(1, 7, 7, 112, 9);
  const auto plan = cuda::PlanSs2d(c.shape, cuda::Storage::kBf16);
  EXPECT_THAT(RunSs2dCore(c, 0, {}, plan.shared_bytes - 4).failure,
              HasSubstr("overruns"));
}

TEST(Ss2dCore, OutputPaddingIsZero) {
  const auto c = MakeSs2dCase<cuda::Bf16>(1, 3, 3, 87, 10);
  const auto run = RunSs2dCore(c, 0, {});
  ASSERT_EQ(run.failure, "");
  for (size_t i = 87; i < run.out.size(); i += 88) {
    EXPECT_EQ(ToFloat(run.out[i]), 0);
  }
}

TEST(Ss2dPlan, TakesEveryStageOfTheVariantsWithinTheSharedMemoryOfEveryGpu) {
  for (int width : kWidths) {
    // Pictures of up to 896 pixels a side.
    const int largest = width <= 24 ? 224 : width <= 48 ? 112 : 56;
    for (int side = 1; side <= largest; ++side) {
      for (auto storage : {cuda::Storage::kFp32, cuda::Storage::kBf16}) {
        const auto plan = cuda::PlanSs2d(
            {8, side, side, width, (width + 15) / 16, {}}, storage);
        EXPECT_GT(plan.segments, 0) << width << " " << side;
        EXPECT_LE(plan.shared_bytes, cuda::kMaxSharedBytes);
        EXPECT_LE(plan.threads, 512);
      }
    }
  }
}

TEST(Ss2dPlan, CutsFinerWhereBlocksAreFewerThanMultiprocessors) {
  const cuda::Ss2dShape shape = {1, 56, 56, 16, 1, {}};
  EXPECT_GE(cuda::PlanSs2d(shape, cuda::Storage::kBf16, 0, 108).blocks, 108);
  EXPECT_EQ(cuda::PlanSs2d(shape, cuda::Storage::kBf16, 0, 1).blocks, 16);
}

TEST(Ss2dPlan, RefusesWhatTheKernelsAreNotMadeFor) {
  const auto refused = [](cuda::Ss2dShape shape) {
    return cuda::PlanSs2d(shape, cuda::Storage::kBf16).segments == 0;
  };
  EXPECT_TRUE(refused({1, 7, 7, 129, 9, {}}));
  EXPECT_TRUE(refused({1, 7, 7, 0, 1, {}}));
  EXPECT_TRUE(refused({1, 7, 7, 16, 2, {}}));
  EXPECT_TRUE(refused({0, 7, 7, 16, 1, {}}));
  EXPECT_TRUE(refused({1, 0, 7, 16, 1, {}}));
  EXPECT_TRUE(refused({1, 1, 100000, 128, 8, {}}));
  EXPECT_FALSE(refused({1, 7, 7, 64, 4, {}}));
}

}  // namespace
}  // namespace groupmamba::testing
