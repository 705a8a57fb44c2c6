// Our operators on a GPU against the processor's in double, where there is a
// GPU; where there is none, it says so.

#include "model/device/cuda_operators.h"

#include <gtest/gtest.h>

#include <string>

#include "ATen/Context.h"
#include "ATen/autocast_mode.h"
#include "ATen/ops/linear.h"
#include "model/depthwise_op.h"
#include "model/scan_op.h"
#include "tests/model/small_network.h"
#include "tests/model/ss2d_leaves.h"

namespace groupmamba {
namespace {

using kernels::Direction;

const at::Device kGpu(at::kCUDA, 0);

class CudaOperators : public ::testing::TestWithParam<Direction> {
 protected:
  void SetUp() override {
    if (!at::hasCUDA() || at::detail::getCUDAHooks().deviceCount() < 1) {
      GTEST_SKIP() << "no GPU here";
    }
    at::manual_seed(1);
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
  }

  void ExpectTheProcessors(const Leaves& exact, at::ScalarType type) {
    const bool bf16 = type == at::kBFloat16;
    const Leaves leaves = bf16 ? exact.Rounded() : exact;
    const auto want =
        ValueAndGradients(leaves.In(at::kDouble), GetParam(), Ss2dCore);
    const Leaves there =
        leaves.In(type, type == at::kDouble ? at::kDouble : at::kFloat, kGpu);
    const auto got = ValueAndGradients(there, GetParam(), Ss2dCore);
    const auto again = ValueAndGradients(there, GetParam(), Ss2dCore);
    EXPECT_EQ(got[0].scalar_type(), type);
    for (size_t i = 0; i < got.size(); ++i) {
      const std::string name = i == 0 ? "the value" : kNames[i - 1];
      if (type != at::kDouble) {  // which is LibTorch's
        EXPECT_TRUE(got[i].equal(again[i])) << name << " has other bits again";
      }
      if (want[i].count_nonzero().item<int64_t>() == 0) continue;
      EXPECT_LE(RelativeDifference(got[i].cpu(), want[i]), bf16 ? 1.5e-2 : 1e-5)
          << name << ", " << leaves.all[0].sizes() << ", " << type;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Directions, CudaOperators,
                         ::testing::Values(Direction::kLeftRight,
                                           Direction::kRightLeft,
                                           Direction::kTopBottom,
                                           Direction::kBottomTop));

TEST_P(CudaOperators, TheCoreAgreesWithTheProcessors) {
  EXPECT_TRUE(device::HasCudaOperators());
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (int64_t d : {8, 16, 24, 32, 48, 87, 106, 112, 128}) {
      ExpectTheProcessors(Leaves(8, {14, 9}, d), type);
      ExpectTheProcessors(Leaves(3, {7, 7}, d), type);
    }
    ExpectTheProcessors(Leaves(4, {56, 56}, 16), type);
    ExpectTheProcessors(Leaves(130, {28, 28}, 32), type);
    ExpectTheProcessors(Leaves(1, {1, 1}, 112), type);
  }
}

TEST_P(CudaOperators, WhatTheKernelsAreNotMadeForIsComposed) {
  ExpectTheProcessors(Leaves(3, {6, 5}, 136), at::kFloat);
  ExpectTheProcessors(Leaves(3, {6, 5}, 24), at::kDouble);
}

TEST_P(CudaOperators, UnderAutocastTheCoreTakesAndGivesBf16) {
  const Leaves leaves = Leaves(4, {7, 6}, 16).In(at::kFloat, kGpu);
  const at::Tensor weight = at::randn({32, 32}, leaves.weights.options());
  at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCUDA, true);
  const at::Tensor xz = at::linear(leaves.all[0], weight);
  const at::Tensor out =
      Ss2dCore(xz, leaves.Parameters(), leaves.grid, GetParam(), kEpsilon);
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCUDA, false);
  EXPECT_EQ(xz.scalar_type(), at::kBFloat16);
  EXPECT_EQ(out.scalar_type(), at::kBFloat16);
  out.sum().backward();
  EXPECT_EQ(leaves.all[1].grad().scalar_type(), at::kFloat);
}

TEST_P(CudaOperators, TheScanAgreesWithTheProcessors) {
  const Grid grid = {6, 5};
  std::vector<at::Tensor> leaves = {
      at::randn({2, 30, 20}), at::randn({2, 30, 20}), at::randn({2, 30}),
      at::randn({2, 30}),     -at::rand({20}) - 0.1,  at::randn({20}),
      at::randn({20})};
  const at::Tensor weights = at::randn({2, 30, 20});
  const auto run = [&](at::Device device) {
    std::vector<at::Tensor> x;
    for (const at::Tensor& leaf : leaves) {
      x.push_back(leaf.to(device, at::kDouble).clone().set_requires_grad(true));
    }
    const at::Tensor y = SelectiveScan(
        {x[0], x[1], x[2], x[3], x[4], x[5], x[6]}, grid, GetParam());
    (y * weights.to(device, at::kDouble)).sum().backward();
    std::vector<at::Tensor> results = {y.detach().cpu()};
    for (const at::Tensor& leaf : x) results.push_back(leaf.grad().cpu());
    return results;
  };
  const auto want = run(at::kCPU), got = run(kGpu);
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_LE(RelativeDifference(got[i], want[i]), 1e-10) << i;
  }
}

TEST_P(CudaOperators, TheDepthwiseConvolutionAgreesWithTheProcessors) {
  const Grid grid = {6, 5};
  const at::Tensor x = at::randn({2, 30, 20}),
                   weight = at::randn({20, 1, 3, 3}), bias = at::randn({20});
  EXPECT_LE(
      RelativeDifference(
          DepthwiseGelu(x.to(kGpu), weight.to(kGpu), bias.to(kGpu), grid).cpu(),
          DepthwiseGelu(x, weight, bias, grid)),
      1e-5);
}

}  // namespace
}  // namespace groupmamba
