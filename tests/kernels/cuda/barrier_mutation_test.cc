// Every barrier of the kernels is needed, and the tests would notice its loss:
// the body without one of them fails, whichever it is.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/cuda/ss2d_backward_body.h"
#include "kernels/cuda/ss2d_core_body.h"
#include "tests/kernels/cuda/ss2d_backward_case.h"
#include "tests/kernels/cuda/ss2d_core_case.h"

namespace groupmamba::testing {
namespace {

constexpr Order kOrders[] = {Order::kForward, Order::kReverse, Order::kShuffled,
                             Order::kWarps};
constexpr int kSegments = 2;  // with one, no ticket is taken

// A case where every warp depends on another one at each barrier.
template <class T>
Ss2dCase<T> SmallCase() {
  return MakeSs2dCase<T>(1, 7, 6, 87, 1);
}

class BarrierMutationTest : public ::testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Ss2dCore, BarrierMutationTest,
                         ::testing::Range(0, int{cuda::kSs2dBarriers}),
                         ::testing::PrintToStringParamName());

TEST_P(BarrierMutationTest, RemovedItIsARaceInEveryOrder) {
  for (Order order : kOrders) {
    EXPECT_NE(RunSs2dCore(SmallCase<float>(), kSegments,
                          {.order = order, .removed_barrier = GetParam()})
                  .failure,
              "");
    EXPECT_NE(RunSs2dCore(SmallCase<cuda::Bf16>(), kSegments,
                          {.order = order, .removed_barrier = GetParam()})
                  .failure,
              "");
  }
}

// Even to an executor that sees no races.
TEST_P(BarrierMutationTest, RemovedItChangesTheAnswerInSomeOrder) {
  const auto c = SmallCase<float>();
  const auto right = RunSs2dCore(c, kSegments, {.detect_races = false});
  ASSERT_EQ(right.failure, "");
  bool noticed = false;
  for (Order order : kOrders) {
    const auto run = RunSs2dCore(
        c, kSegments,
        {.order = order, .removed_barrier = GetParam(), .detect_races = false});
    noticed = noticed || !run.failure.empty() || !SameBits(run.out, right.out);
  }
  EXPECT_TRUE(noticed);
}

TEST(BarrierMutation, WithAllBarriersTheCaseIsRight) {
  const auto c = SmallCase<float>();
  for (Order order : kOrders) {
    const auto run = RunSs2dCore(c, kSegments, {.order = order});
    ASSERT_EQ(run.failure, "");
    EXPECT_LE(ErrorOf(run, WantedOutput(c)), 1e-5);
  }
}

// The backward pass: two segments with work in them, in every direction.
template <class T>
Ss2dBackwardCase<T> SmallBackwardCase() {
  return MakeSs2dBackwardCase<T>(1, 9, 17, 48, 1);
}

template <class T>
bool SameGradients(const Ss2dBackwardRun<T>& a, const Ss2dBackwardRun<T>& b) {
  return SameBits(a.d_xz, b.d_xz) && SameBits(a.d_parameters, b.d_parameters);
}

class BackwardBarrierTest : public ::testing::TestWithParam<int> {
 protected:
  static const Ss2dBackwardCase<float>& Fp32() {
    static const auto c = SmallBackwardCase<float>();
    return c;
  }
  static const Ss2dBackwardCase<cuda::Bf16>& Bf16() {
    static const auto c = SmallBackwardCase<cuda::Bf16>();
    return c;
  }
};

INSTANTIATE_TEST_SUITE_P(Ss2dBackward, BackwardBarrierTest,
                         ::testing::Range(0, int{cuda::kSs2dBackwardBarriers}),
                         ::testing::PrintToStringParamName());

TEST_P(BackwardBarrierTest, RemovedItIsARaceInEveryOrder) {
  for (Order order : kOrders) {
    const ExecutorOptions options = {.order = order,
                                     .removed_barrier = GetParam()};
    EXPECT_NE(RunSs2dBackward(Fp32(), kSegments, options).failure, "");
    EXPECT_NE(RunSs2dBackward(Bf16(), kSegments, options).failure, "");
  }
}

TEST_P(BackwardBarrierTest, RemovedItChangesTheAnswerInSomeOrder) {
  const auto right =
      RunSs2dBackward(Fp32(), kSegments, {.detect_races = false});
  ASSERT_EQ(right.failure, "");
  bool noticed = false;
  for (Order order : kOrders) {
    const auto run = RunSs2dBackward(
        Fp32(), kSegments,
        {.order = order, .removed_barrier = GetParam(), .detect_races = false});
    noticed = noticed || !run.failure.empty() || !SameGradients(run, right);
  }
  EXPECT_TRUE(noticed);
}

TEST(BackwardBarrierMutation, WithAllBarriersTheCaseIsRight) {
  const auto c = SmallBackwardCase<float>();
  const Gradients want = WantedGradients(c);
  for (Order order : kOrders) {
    const auto run = RunSs2dBackward(c, kSegments, {.order = order});
    ASSERT_EQ(run.failure, "");
    for (const auto& [name, values] : GradientsOf(c, run)) {
      EXPECT_LE(RelativeL2(values, want.at(name)), 1e-5) << name;
    }
  }
}

// The sum over the batch by itself: the first launch has a barrier of the same
// number.
TEST(ReduceBarrierMutation, RemovedItIsARaceInEveryOrder) {
  const std::vector<float> partials(4 * 128, 1);
  std::vector<float> sums(partials.size());
  const cuda::Ss2dReduceArguments arguments = {1, 128, partials.data(),
                                               sums.data()};
  for (Order order : kOrders) {
    for (int removed : {-1, int{cuda::kPartsSummed}}) {
      CudaExecutor executor;
      executor.Input(partials);
      executor.Output(sums);
      const std::string failure =
          executor.Launch({cuda::ReduceBlocks(128), cuda::kReduceThreads,
                           cuda::kReduceSharedBytes},
                          {.order = order, .removed_barrier = removed},
                          [&](const ExecutorContext& ctx) {
                            cuda::Ss2dReduceBody(ctx, arguments);
                          });
      EXPECT_EQ(failure.empty(), removed < 0) << failure;
    }
  }
}

}  // namespace
}  // namespace groupmamba::testing
