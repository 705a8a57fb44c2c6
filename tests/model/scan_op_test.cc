// The scan's gradient as LibTorch would derive it from a composition of its own
// operators, token by token.

#include "model/scan_op.h"

#include <gtest/gtest.h>

#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/softplus.h"
#include "ATen/ops/stack.h"
#include "ATen/ops/zeros.h"
#include "model/ss2d_composition.h"
#include "tests/model/small_network.h"
#include "tests/reference/selective_scan_oracle.h"

namespace groupmamba {
namespace {

using kernels::Direction;

constexpr int64_t kBatch = 3;
constexpr Grid kGrid = {.height = 3, .width = 4};
constexpr int64_t kTokens = 12;
constexpr int64_t kChannels = 11;

// b and c are columns of one tensor, as in the network.
struct Leaves {
  at::Tensor u = at::randn({kBatch, kTokens, kChannels});
  at::Tensor delta = at::randn({kBatch, kTokens, kChannels});
  at::Tensor columns = at::randn({kBatch, kTokens, 4});
  at::Tensor a = -at::rand({kChannels}) - 0.1;
  at::Tensor d = at::randn({kChannels});
  at::Tensor delta_bias = at::randn({kChannels});

  std::vector<at::Tensor> All() const {
    return {u, delta, columns, a, d, delta_bias};
  }

  ScanOperands Operands() const {
    return {u, delta,     columns.select(2, 1), columns.select(2, 3), a,
            d, delta_bias};
  }
};

// The definition in kernels/selective_scan.h, with [batch, channels] a token.
at::Tensor Composition(const ScanOperands& in, Direction direction) {
  at::Tensor h = at::zeros({kBatch, kChannels});
  std::vector<at::Tensor> y(kTokens);
  for (const int t :
       reference::TokenSequence(kGrid.height, kGrid.width, direction)) {
    const at::Tensor delta =
        at::softplus(in.delta.select(1, t) + in.delta_bias);
    const at::Tensor u = in.u.select(1, t);
    h = (delta * in.a).exp() * h + delta * in.b.select(1, t).unsqueeze(1) * u;
    y[t] = in.c.select(1, t).unsqueeze(1) * h + in.d * u;
  }
  return at::stack(y, 1);
}

class ScanOpTest : public testing::TestWithParam<Direction> {
 protected:
  ScanOpTest() {
    at::manual_seed(1);
    leaves_ = Leaves();
    for (const at::Tensor& leaf : leaves_.All()) leaf.set_requires_grad(true);
  }

  // The gradients of sum(weights * y) by every leaf.
  std::vector<at::Tensor> Gradients(const at::Tensor& y) {
    (y * weights_).sum().backward();
    std::vector<at::Tensor> gradients;
    for (const at::Tensor& leaf : leaves_.All()) {
      gradients.push_back(leaf.grad().clone());
      leaf.mutable_grad().reset();
    }
    return gradients;
  }

  void ExpectTheCompositions(const at::Tensor& y) {
    const at::Tensor expected = Composition(leaves_.Operands(), GetParam());
    EXPECT_LE(RelativeDifference(y, expected), 1e-6);
    const std::vector<at::Tensor> gradients = Gradients(y);
    const std::vector<at::Tensor> expected_gradients = Gradients(expected);
    for (size_t i = 0; i < gradients.size(); ++i) {
      EXPECT_LE(RelativeDifference(gradients[i], expected_gradients[i]), 1e-5)
          << "leaf " << i;
    }
  }

  Leaves leaves_;
  const at::Tensor weights_ = at::randn({kBatch, kTokens, kChannels});
};

INSTANTIATE_TEST_SUITE_P(Directions, ScanOpTest,
                         testing::Values(Direction::kLeftRight,
                                         Direction::kRightLeft,
                                         Direction::kTopBottom,
                                         Direction::kBottomTop));

TEST_P(ScanOpTest, ValueAndGradientsAreThoseOfTheComposition) {
  ExpectTheCompositions(SelectiveScan(leaves_.Operands(), kGrid, GetParam()));
}

TEST_P(ScanOpTest, WhatRunsWhereThereIsNoKernelIsTheComposition) {
  ExpectTheCompositions(ScanComposition(leaves_.Operands(), kGrid, GetParam()));
}

TEST_P(ScanOpTest, GradientsAreTheSameToTheBitAgain) {
  const std::vector<at::Tensor> first =
      Gradients(SelectiveScan(leaves_.Operands(), kGrid, GetParam()));
  const std::vector<at::Tensor> second =
      Gradients(SelectiveScan(leaves_.Operands(), kGrid, GetParam()));
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(first[i].equal(second[i])) << "leaf " << i;
  }
}

TEST_P(ScanOpTest, TakesASliceOfAWiderTensor) {
  const at::NoGradGuard no_grad;
  const at::Tensor wide = at::randn({kBatch, kTokens, kChannels + 5});
  ScanOperands operands = leaves_.Operands();
  operands.u = wide.narrow(2, 2, kChannels);
  const at::Tensor y = SelectiveScan(operands, kGrid, GetParam());
  operands.u = operands.u.contiguous();
  EXPECT_TRUE(y.equal(SelectiveScan(operands, kGrid, GetParam())));
}

}  // namespace
}  // namespace groupmamba
