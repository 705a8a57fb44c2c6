// The SS2D core's backward kernels, run by the executor, against the double
// oracle.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/kernels/cuda/executor_kernels.h"
#include "tests/kernels/cuda/ss2d_backward_case.h"

namespace groupmamba::testing {
namespace {

using ::testing::HasSubstr;

// Relative L2, of each gradient by itself. In bf16 the values between the
// phases are rounded too.
template <class T>
constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 1.5e-2;

// A group's width in some stage of tiny, small, base or the bundled model.
constexpr int kWidths[] = {8, 16, 24, 32, 48, 87, 106, 112, 128};

struct Grid {
  int height, width;
};

template <class T>
void ExpectClose(const Ss2dBackwardCase<T>& c, const Ss2dBackwardRun<T>& run,
                 const Gradients& want) {
  const Gradients got = GradientsOf(c, run);
  for (const auto& [name, values] : want) {
    EXPECT_LE(RelativeL2(got.at(name), values), kTolerance<T>) << name;
  }
}

template <class T>
bool SameGradients(const Ss2dBackwardRun<T>& a, const Ss2dBackwardRun<T>& b) {
  return SameBits(a.d_xz, b.d_xz) && SameBits(a.partials, b.partials) &&
         SameBits(a.d_parameters, b.d_parameters);
}

// Runs the case in all three orders, with exact units and with the worst ones.
template <class T>
void ExpectRight(const Ss2dBackwardCase<T>& c, int segments) {
  const cuda::Ss2dShape& shape = c.forward.shape;
  SCOPED_TRACE(absl::StrCat(shape.height, "x", shape.width, " of ",
                            shape.group_width, " channels, ", segments,
                            " segments, ", 8 * sizeof(T), " bits"));
  const Gradients want = WantedGradients(c);
  const auto run = RunSs2dBackward(c, segments, {});
  ASSERT_EQ(run.failure, "");
  ExpectClose(c, run, want);
  for (Order order : {Order::kReverse, Order::kShuffled}) {
    const auto other = RunSs2dBackward(c, segments, {.order = order});
    ASSERT_EQ(other.failure, "");
    EXPECT_TRUE(SameGradients(other, run));
  }
  const auto worst = RunSs2dBackward(c, segments, {.worst_units = true});
  ASSERT_EQ(worst.failure, "");
  ExpectClose(c, worst, want);
}

class Ss2dBackwardTest : public ::testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(GroupWidths, Ss2dBackwardTest,
                         ::testing::ValuesIn(kWidths),
                         ::testing::PrintToStringParamName());

TEST_P(Ss2dBackwardTest, AgreesWithTheOracleInFourDirections) {
  for (const Grid g : {Grid{1, 1}, {7, 7}, {5, 3}, {1, 9}, {9, 2}, {3, 17}}) {
    ExpectRight(
        MakeSs2dBackwardCase<float>(1, g.height, g.width, GetParam(), 1), 0);
    ExpectRight(
        MakeSs2dBackwardCase<cuda::Bf16>(1, g.height, g.width, GetParam(), 1),
        0);
  }
}

// Lines of 29 make a band each, and eight lines of 5.
TEST_P(Ss2dBackwardTest, SegmentsDoNotChangeABit) {
  const auto c = MakeSs2dBackwardCase<cuda::Bf16>(2, 5, 29, GetParam(), 3);
  const auto whole = RunSs2dBackward(c, 5, {});
  ASSERT_EQ(whole.failure, "");
  for (int segments = 1; segments <= 8; ++segments) {
    const auto run = RunSs2dBackward(
        c, segments,
        {.order = segments % 2 ? Order::kReverse : Order::kShuffled});
    if (run.plan.segments == 0) continue;  // too large for one block
    ASSERT_EQ(run.failure, "") << segments;
    EXPECT_TRUE(SameGradients(run, whole)) << segments;
  }
}

TEST_P(Ss2dBackwardTest, SegmentsInFp32) {
  const auto c = MakeSs2dBackwardCase<float>(1, 29, 5, GetParam(), 4);
  for (int segments : {5, 8}) ExpectRight(c, segments);
}

TEST(Ss2dBackward, MoreSegmentsThanBandsLeaveSomeEmpty) {
  for (int segments = 1; segments <= 8; ++segments) {
    ExpectRight(MakeSs2dBackwardCase<float>(1, 1, 1, 16, 5), segments);
    ExpectRight(MakeSs2dBackwardCase<cuda::Bf16>(2, 3, 2, 87, 5), segments);
    ExpectRight(MakeSs2dBackwardCase<float>(1, 3, 31, 24, 5), segments);
  }
}

TEST(Ss2dBackward, TheFirstStageInSegments) {
  const auto c = MakeSs2dBackwardCase<cuda::Bf16>(1, 56, 56, 16, 6);
  const auto run = RunSs2dBackward(c, 0, {});
  ASSERT_EQ(run.failure, "");
  EXPECT_EQ(run.plan.segments, 6);
  ExpectClose(c, run, WantedGradients(c));
}

// An image's gradients do not depend on its neighbours in the batch.
TEST(Ss2dBackward, ABatchIsItsImagesOneByOne) {
  constexpr int kBatch = 11;  // more than the parts of the sum
  const auto batch = MakeSs2dBackwardCase<cuda::Bf16>(kBatch, 4, 5, 24, 7);
  const auto together = RunSs2dBackward(batch, 2, {});
  ASSERT_EQ(together.failure, "");
  ExpectClose(batch, together, WantedGradients(batch));
  const auto of_image = [](const auto& values, int n) {
    const size_t part = values.size() / (kBatch * cuda::kGroups);
    std::decay_t<decltype(values)> image;
    for (int g = 0; g < cuda::kGroups; ++g) {
      const auto at = values.begin() + (g * kBatch + n) * part;
      image.insert(image.end(), at, at + part);
    }
    return image;
  };
  for (int n = 0; n < kBatch; ++n) {
    auto alone = batch;
    alone.forward.shape.batch = 1;
    alone.forward.xz = of_image(batch.forward.xz, n);
    alone.d_out = of_image(batch.d_out, n);
    alone.states = of_image(batch.states, n);
    const auto run = RunSs2dBackward(alone, 1, {});
    ASSERT_EQ(run.failure, "");
    EXPECT_TRUE(SameBits(run.d_xz, of_image(together.d_xz, n)));
    EXPECT_TRUE(SameBits(run.partials, of_image(together.partials, n)));
  }
}

TEST(Ss2dBackward, InputsOfAnySizeGiveFiniteGradients) {
  for (float big : {100.0f, 1e4f, 1e8f}) {
    auto c = MakeSs2dBackwardCase<float>(1, 5, 4, 16, 8);
    for (float& x : c.forward.xz) x *= big;
    ASSERT_EQ(RunSs2dCore(c.forward, 0, {}, 0, c.states.data()).failure, "");
    const auto run = RunSs2dBackward(c, 0, {});
    ASSERT_EQ(run.failure, "");
    for (float g : run.d_xz) ASSERT_TRUE(std::isfinite(g)) << big;
    for (float g : run.d_parameters) ASSERT_TRUE(std::isfinite(g)) << big;
  }
}

TEST(Ss2dBackward, SharedMemoryIsNoLongerThanNeeded) {
  const auto c = MakeSs2dBackwardCase<cuda::Bf16>(1, 7, 7, 112, 9);
  const auto plan =
      cuda::PlanSs2dBackward(c.forward.shape, cuda::Storage::kBf16);
  EXPECT_THAT(RunSs2dBackward(c, 0, {}, plan.shared_bytes - 4).failure,
              HasSubstr("overruns"));
}

TEST(Ss2dBackward, PaddingOfTheGradientsIsZero) {
  const auto c = MakeSs2dBackwardCase<cuda::Bf16>(1, 3, 3, 87, 10);
  const auto run = RunSs2dBackward(c, 0, {});
  ASSERT_EQ(run.failure, "");
  for (size_t i = 87; i < run.d_xz.size(); i += 88) {
    EXPECT_EQ(ToFloat(run.d_xz[i]), 0);
  }
  for (size_t i = 87; i < run.d_parameters.size(); i += 88) {
    EXPECT_EQ(run.d_parameters[i], 0);
  }
}

// Whatever the padding of the output's gradient is.
TEST(Ss2dBackward, PaddingOfTheInputIsNotRead) {
  auto c = MakeSs2dBackwardCase<float>(1, 3, 3, 87, 10);
  const auto zeros = RunSs2dBackward(c, 0, {});
  for (size_t i = 87; i < c.d_out.size(); i += 88) c.d_out[i] = 3;
  const auto ones = RunSs2dBackward(c, 0, {});
  ASSERT_EQ(ones.failure, "");
  EXPECT_EQ(GradientsOf(c, ones), GradientsOf(c, zeros));
}

// Both launches, and the forward one that saves states, as a trainer calls
// them.
TEST(Ss2dBackward, TheTableOfKernelsHasIt) {
  const auto c = MakeSs2dBackwardCase<float>(2, 4, 4, 24, 11);
  const auto want = RunSs2dBackward(c, 0, {});
  const cuda::Ss2dShape& shape = c.forward.shape;
  const cuda::KernelTable& kernels = ExecutorKernels();
  std::vector<float> out(c.d_out.size()), states(c.states.size());
  ASSERT_EQ(
      kernels.ss2d_core(shape, cuda::PlanSs2d(shape, cuda::Storage::kFp32),
                        cuda::Storage::kFp32, kOutNormEpsilon,
                        c.forward.xz.data(), c.forward.parameters.data(),
                        nullptr, out.data(), states.data(), nullptr),
      cuda::kLaunched);
  auto got = want;
  std::fill(got.d_xz.begin(), got.d_xz.end(), 0);
  std::fill(got.d_parameters.begin(), got.d_parameters.end(), 0);
  const cuda::Ss2dBackwardBuffers buffers = {
      .xz = c.forward.xz.data(),
      .parameters = c.forward.parameters.data(),
      .states = states.data(),
      .d_out = c.d_out.data(),
      .partials = got.partials.data(),
      .d_xz = got.d_xz.data(),
      .d_parameters = got.d_parameters.data()};
  ASSERT_EQ(kernels.ss2d_backward(shape, want.plan, cuda::Storage::kFp32,
                                  kOutNormEpsilon, buffers, nullptr),
            cuda::kLaunched);
  EXPECT_TRUE(SameGradients(got, want));
}

TEST(Ss2dBackwardPlan,
     TakesEveryStageOfTheVariantsWithinTheSharedMemoryOfEveryGpu) {
  for (int width : kWidths) {
    // Pictures of up to 448 pixels a side.
    const int largest = width <= 24 ? 112 : width <= 48 ? 56 : 28;
    for (int side = 1; side <= largest; ++side) {
      for (auto storage : {cuda::Storage::kFp32, cuda::Storage::kBf16}) {
        const auto plan = cuda::PlanSs2dBackward(
            {8, side, side, width, (width + 15) / 16, {}}, storage);
        EXPECT_GT(plan.segments, 0) << width << " " << side;
        EXPECT_LE(plan.shared_bytes, cuda::kMaxSharedBytes);
        EXPECT_LE(plan.threads, 512);
      }
    }
  }
}

TEST(Ss2dBackwardPlan, CutsFinerWhereBlocksAreFewerThanMultiprocessors) {
  const cuda::Ss2dShape shape = {1, 56, 56, 16, 1, {}};
  EXPECT_GE(cuda::PlanSs2dBackward(shape, cuda::Storage::kBf16, 0, 108).blocks,
            108);
}

TEST(Ss2dBackwardPlan, RefusesWhatTheKernelsAreNotMadeFor) {
  const auto refused = [](cuda::Ss2dShape shape) {
    return cuda::PlanSs2dBackward(shape, cuda::Storage::kBf16).segments == 0;
  };
  EXPECT_TRUE(refused({1, 7, 7, 129, 9, {}}));
  EXPECT_TRUE(refused({1, 7, 7, 16, 2, {}}));
  EXPECT_TRUE(refused({0, 7, 7, 16, 1, {}}));
  EXPECT_TRUE(refused({1, 1, 100000, 128, 8, {}}));
  EXPECT_FALSE(refused({1, 7, 7, 64, 4, {}}));
}

}  // namespace
}  // namespace groupmamba::testing
