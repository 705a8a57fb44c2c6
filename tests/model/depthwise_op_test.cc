// groupmamba::depthwise_gelu against LibTorch's convolution and gelu in double;
// its bits; what other types get.

#include "model/depthwise_op.h"

#include <gtest/gtest.h>

#include <vector>

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/randn.h"
#include "model/picture_tokens.h"
#include "tests/model/small_network.h"

namespace groupmamba {
namespace {

at::Tensor Composition(const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& bias, Grid grid) {
  return TokensOf(at::gelu(at::conv2d(PictureOf(x, grid), weight, bias, 1, 1, 1,
                                      /*groups=*/weight.size(0))));
}

struct Leaves {
  Leaves(int64_t batch, Grid grid, int64_t channels)
      : grid(grid),
        all{at::randn({batch, grid.height * grid.width, channels}),
            at::randn({channels, 1, 3, 3}) / 2, at::randn({channels})},
        weights(at::randn(all[0].sizes())) {}

  Leaves In(at::ScalarType type) const {
    Leaves converted = *this;
    for (at::Tensor& leaf : converted.all) {
      leaf = leaf.detach().to(type).clone().set_requires_grad(true);
    }
    converted.weights = weights.to(type);
    return converted;
  }

  Grid grid;
  std::vector<at::Tensor> all;  // x, weight, bias
  at::Tensor weights;           // of the loss
};

// The value, and the gradients of sum(weights * value) by every leaf.
template <class Convolution>
std::vector<at::Tensor> ValueAndGradients(const Leaves& leaves,
                                          Convolution convolution) {
  const at::Tensor y =
      convolution(leaves.all[0], leaves.all[1], leaves.all[2], leaves.grid);
  (y * leaves.weights).sum().backward();
  std::vector<at::Tensor> results = {y.detach()};
  for (const at::Tensor& leaf : leaves.all) {
    results.push_back(leaf.grad().clone());
    leaf.mutable_grad().reset();
  }
  return results;
}

class DepthwiseOpTest : public testing::Test {
 protected:
  DepthwiseOpTest() { at::manual_seed(1); }
};

TEST_F(DepthwiseOpTest, ValueAndGradientsAreThoseOfTheComposition) {
  for (const auto& [batch, grid, channels] : {std::tuple{2, Grid{5, 7}, 19},
                                              {1, {1, 1}, 7},
                                              {3, {14, 14}, 40},
                                              {2, {7, 7}, 1792},
                                              {1, {56, 56}, 24}}) {
    const Leaves leaves(batch, grid, channels);
    const auto want = ValueAndGradients(leaves.In(at::kDouble), Composition);
    for (const auto type : {at::kFloat, at::kDouble}) {
      const auto got = ValueAndGradients(leaves.In(type), DepthwiseGelu);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_LE(RelativeDifference(got[i], want[i]), 2e-6)
            << i << ", " << channels << " channels";
      }
    }
  }
}

TEST_F(DepthwiseOpTest, IsTheSameToTheBitForAnyNumberOfThreads) {
  const Leaves leaves = Leaves(5, {9, 8}, 33).In(at::kFloat);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = ValueAndGradients(leaves, DepthwiseGelu);
  for (const int count : {2, 3, 5}) {
    at::set_num_threads(count);
    const auto got = ValueAndGradients(leaves, DepthwiseGelu);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(got[i].equal(alone[i])) << i << ", " << count << " threads";
    }
  }
  at::set_num_threads(threads);
}

TEST_F(DepthwiseOpTest, DoesNotDependOnTheOtherPicturesOfTheBatch) {
  const Leaves leaves = Leaves(3, {5, 4}, 24).In(at::kFloat);
  const auto together = ValueAndGradients(leaves, DepthwiseGelu);
  for (int64_t n = 0; n < 3; ++n) {
    Leaves one = leaves.In(at::kFloat);
    one.all[0] =
        leaves.all[0].detach().narrow(0, n, 1).clone().set_requires_grad(true);
    one.weights = leaves.weights.narrow(0, n, 1);
    const auto alone = ValueAndGradients(one, DepthwiseGelu);
    for (int i : {0, 1}) {  // the value, and the gradient by x
      EXPECT_TRUE(alone[i].equal(together[i].narrow(0, n, 1)));
    }
  }
}

TEST_F(DepthwiseOpTest, RefusesWhatDoesNotFit) {
  const Leaves leaves(1, {2, 3}, 4);
  const at::Tensor& x = leaves.all[0];
  const at::Tensor& weight = leaves.all[1];
  const at::Tensor& bias = leaves.all[2];
  EXPECT_NO_THROW(DepthwiseGelu(x, weight, bias, {2, 3}));
  EXPECT_THROW(DepthwiseGelu(x, weight, bias, {2, 2}), c10::Error);
  EXPECT_THROW(DepthwiseGelu(x, weight, bias, {-2, -3}), c10::Error);
  EXPECT_THROW(DepthwiseGelu(x, at::randn({5, 1, 3, 3}), bias, {2, 3}),
               c10::Error);
  EXPECT_THROW(DepthwiseGelu(x, weight, at::randn({5}), {2, 3}), c10::Error);
}

}  // namespace
}  // namespace groupmamba
