// groupmamba::ss2d_core: its gradients against those that LibTorch derives from
// the composition of its own operators, in double; its bits.

#include "model/ss2d_op.h"

#include <gtest/gtest.h>

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/autocast_mode.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/randn.h"
#include "model/ss2d_composition.h"
#include "tests/model/small_network.h"
#include "tests/model/ss2d_leaves.h"

namespace groupmamba {
namespace {

using kernels::Direction;

class Ss2dOpTest : public testing::TestWithParam<Direction> {
 protected:
  Ss2dOpTest() { at::manual_seed(1); }

  void ExpectTheCompositions(const Leaves& leaves, at::ScalarType type,
                             double value_tolerance, double tolerance) {
    const auto want =
        ValueAndGradients(leaves.In(at::kDouble), GetParam(), Ss2dComposition);
    const auto got = ValueAndGradients(leaves.In(type), GetParam(), Ss2dCore);
    EXPECT_LE(RelativeDifference(got[0], want[0]), value_tolerance);
    for (size_t i = 1; i < got.size(); ++i) {
      if (got[i].count_nonzero().item<int64_t>() == 0) {
        EXPECT_EQ(want[i].count_nonzero().item<int64_t>(), 0) << kNames[i - 1];
        continue;
      }
      EXPECT_LE(RelativeDifference(got[i], want[i]), tolerance)
          << kNames[i - 1] << ", d " << leaves.weights.size(2) << ", "
          << leaves.grid.height << "x" << leaves.grid.width;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Directions, Ss2dOpTest,
                         testing::Values(Direction::kLeftRight,
                                         Direction::kRightLeft,
                                         Direction::kTopBottom,
                                         Direction::kBottomTop));

TEST_P(Ss2dOpTest, GradientsAreThoseOfTheCompositionForEveryWidth) {
  // Those of tiny, small and base, and odd ones.
  for (int64_t d : {3, 5, 16, 24, 31, 32, 48, 87, 106, 112, 128}) {
    const Leaves leaves(2, {6, 7}, d);
    ExpectTheCompositions(leaves, at::kFloat, 2e-6, 1e-5);
    ExpectTheCompositions(leaves, at::kDouble, 1e-13, 1e-11);
  }
  // The norm of two values is all but their sign: what is left of the gradients
  // before it cancels, and fp32 cannot show it.
  ExpectTheCompositions(Leaves(2, {6, 7}, 2), at::kDouble, 1e-13, 1e-9);
}

TEST_P(Ss2dOpTest, GradientsAreThoseOfTheCompositionOnEveryGrid) {
  for (const Grid grid : {Grid{1, 1}, {1, 33}, {33, 1}, {7, 7}, {14, 14}}) {
    ExpectTheCompositions(Leaves(3, grid, 19), at::kFloat, 2e-6, 1e-5);
  }
  ExpectTheCompositions(Leaves(1, {56, 56}, 16), at::kFloat, 2e-6, 1e-5);
  ExpectTheCompositions(Leaves(1, {28, 28}, 32), at::kFloat, 2e-6, 1e-5);
  ExpectTheCompositions(Leaves(1, {14, 14}, 87), at::kFloat, 2e-6, 1e-5);
}

TEST_P(Ss2dOpTest, AreTheSameToTheBitForAnyNumberOfThreads) {
  const Leaves leaves = Leaves(5, {9, 8}, 21).In(at::kFloat);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = ValueAndGradients(leaves, GetParam(), Ss2dCore);
  for (const int count : {2, 3, 5}) {
    at::set_num_threads(count);
    const auto got = ValueAndGradients(leaves, GetParam(), Ss2dCore);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(got[i].equal(alone[i])) << i << ", " << count << " threads";
    }
  }
  at::set_num_threads(threads);
}

TEST_P(Ss2dOpTest, DoNotDependOnTheOtherPicturesOfTheBatch) {
  ExpectPicturesAloneAreTheSame(Leaves(3, {5, 4}, 24).In(at::kFloat),
                                GetParam(), {0, 1, 2});
}

TEST_P(Ss2dOpTest, TakesSlicesAndGivesTheSameWithoutAGradient) {
  const Leaves leaves = Leaves(2, {5, 4}, 9).In(at::kFloat);
  const at::Tensor wide = at::randn({2, 20, 25});
  const at::Tensor xz = wide.narrow(2, 3, 18);
  const auto core = [&](const at::Tensor& x) {
    return Ss2dCore(x, leaves.Parameters(), leaves.grid, GetParam(), kEpsilon);
  };
  const at::Tensor out = core(xz);
  EXPECT_TRUE(out.requires_grad());
  EXPECT_TRUE(out.equal(core(xz.contiguous())));
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(out.equal(core(xz)));
}

TEST_P(Ss2dOpTest, ComputesInFp32UnderAutocast) {
  const Leaves leaves = Leaves(2, {5, 4}, 9).In(at::kFloat);
  const auto core = [&](const at::Tensor& x) {
    return Ss2dCore(x, leaves.Parameters(), leaves.grid, GetParam(), kEpsilon);
  };
  const at::Tensor rounded = leaves.all[0].detach().to(at::kBFloat16);
  const at::Tensor expected = core(rounded.to(at::kFloat));
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor out = core(rounded);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_TRUE(out.equal(expected));
}

TEST(Ss2dOp, RefusesWhatDoesNotFit) {
  const Leaves leaves(1, {2, 3}, 4);
  const auto run = [](const Leaves& with, Grid grid, int direction) {
    return Ss2dCore(with.all[0], with.Parameters(), grid,
                    static_cast<Direction>(direction), kEpsilon);
  };
  EXPECT_NO_THROW(run(leaves, {2, 3}, 3));
  EXPECT_THROW(run(leaves, {2, 2}, 0), c10::Error);
  EXPECT_THROW(run(leaves, {-2, -3}, 0), c10::Error);
  EXPECT_THROW(run(leaves, {2, 3}, 4), c10::Error);
  for (size_t i = 0; i < leaves.all.size(); ++i) {
    Leaves wrong = leaves;
    wrong.all[i] = at::randn({5});
    EXPECT_THROW(run(wrong, {2, 3}, 0), c10::Error) << kNames[i];
    wrong.all[i] = leaves.all[i].to(at::kDouble);
    EXPECT_THROW(run(wrong, {2, 3}, 0), c10::Error) << kNames[i];
    wrong.all[i] = leaves.all[i].to(at::kHalf);
    EXPECT_THROW(run(wrong, {2, 3}, 0), c10::Error) << kNames[i];
  }
}

TEST(Ss2dOp, KnowsItsShapesWithoutValues) {
  Leaves leaves(3, {2, 3}, 4);
  for (at::Tensor& leaf : leaves.all) leaf = leaf.to("meta");
  const at::Tensor out = Ss2dCore(leaves.all[0], leaves.Parameters(), {2, 3},
                                  Direction::kLeftRight, kEpsilon);
  EXPECT_TRUE(out.is_meta());
  EXPECT_EQ(out.sizes(), (at::IntArrayRef{3, 6, 4}));
}

}  // namespace
}  // namespace groupmamba
