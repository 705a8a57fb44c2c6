// Every barrier of the kernels is needed, and the tests would notice its loss:
// the body without one of them fails, whichever it is.

#include <gtest/gtest.h>

#include <string>

#include "kernels/cuda/ss2d_core_body.h"
#include "tests/kernels/cuda/ss2d_core_case.h"

namespace groupmamba::testing {
namespace {

constexpr Order kOrders[] = {Order::kForward, Order::kReverse,
                             Order::kShuffled};
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

}  // namespace
}  // namespace groupmamba::testing
