// groupmamba::ss2d_core: its gradients against those that LibTorch derives from
// the composition of its own operators, in double; its bits.

#include "model/ss2d_op.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/autocast_mode.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros_like.h"
#include "tests/model/small_network.h"
#include "tests/reference/ss2d_composition.h"

namespace groupmamba {
namespace {

using kernels::Direction;

constexpr double kEpsilon = 1e-5;

// xz and the parameters, of the sizes met in a network.
struct Leaves {
  Leaves(int64_t batch, Grid grid, int64_t d)
      : grid(grid),
        all{at::randn({batch, grid.height * grid.width, 2 * d}),
            at::randn({d, 1, 3, 3}) / 3,
            at::randn({d}) / 3,
            at::randn({1, Rank(d) + 2, d}) / 4,
            at::randn({1, d, Rank(d)}) / 2,
            at::rand({1, d}) * 4 - 4,
            at::randn({d, 1}) / 2,
            at::randn({d}),
            at::rand({d}) + 0.5,
            at::randn({d}) / 2},
        weights(at::randn({batch, grid.height * grid.width, d})) {}

  static int64_t Rank(int64_t d) { return (d + 15) / 16; }

  Ss2dParameters Parameters() const {
    return {all[1], all[2], all[3], all[4], all[5],
            all[6], all[7], all[8], all[9]};
  }

  Leaves In(at::ScalarType type) const {
    Leaves converted = *this;
    for (at::Tensor& leaf : converted.all) {
      leaf = leaf.detach().to(type).clone().set_requires_grad(true);
    }
    converted.weights = weights.to(type);
    return converted;
  }

  Grid grid;
  std::vector<at::Tensor> all;
  at::Tensor weights;  // of the loss
};

constexpr const char* kNames[] = {"xz",
                                  "conv2d.weight",
                                  "conv2d.bias",
                                  "x_proj_weight",
                                  "dt_projs_weight",
                                  "dt_projs_bias",
                                  "A_logs",
                                  "Ds",
                                  "out_norm.weight",
                                  "out_norm.bias"};

// The value, and the gradients of sum(weights * value) by every leaf.
template <class Core>
std::vector<at::Tensor> ValueAndGradients(const Leaves& leaves,
                                          Direction direction, Core core) {
  const at::Tensor out = core(leaves.all[0], leaves.Parameters(), leaves.grid,
                              direction, kEpsilon);
  (out * leaves.weights).sum().backward();
  std::vector<at::Tensor> results = {out.detach()};
  for (const at::Tensor& leaf : leaves.all) {
    // On one token the composition has none by A_logs.
    results.push_back(leaf.grad().defined() ? leaf.grad().clone()
                                            : at::zeros_like(leaf));
    leaf.mutable_grad().reset();
  }
  return results;
}

class Ss2dOpTest : public testing::TestWithParam<Direction> {
 protected:
  Ss2dOpTest() { at::manual_seed(1); }

  void ExpectTheCompositions(const Leaves& leaves, at::ScalarType type,
                             double value_tolerance, double tolerance) {
    const auto want = ValueAndGradients(leaves.In(at::kDouble), GetParam(),
                                        reference::Ss2dComposition);
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
  const Leaves leaves = Leaves(3, {5, 4}, 24).In(at::kFloat);
  const auto together = ValueAndGradients(leaves, GetParam(), Ss2dCore);
  for (int64_t n = 0; n < 3; ++n) {
    Leaves one = leaves.In(at::kFloat);
    one.all[0] =
        leaves.all[0].detach().narrow(0, n, 1).clone().set_requires_grad(true);
    one.weights = leaves.weights.narrow(0, n, 1);
    const auto alone = ValueAndGradients(one, GetParam(), Ss2dCore);
    for (int i : {0, 1}) {  // the value, and the gradient by xz
      EXPECT_TRUE(alone[i].equal(together[i].narrow(0, n, 1)));
    }
  }
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
