// groupmamba::ss2d_core as it runs on a GPU, all of it but the launches: the
// operator with its autograd, whose kernels an executor runs, against
// LibTorch's gradients of the composition, in double.

#include "model/device/ss2d_core.h"

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "ATen/core/grad_mode.h"
#include "ATen/ops/empty.h"
#include "kernels/cuda/ss2d_core.h"
#include "model/ss2d_composition.h"
#include "tests/kernels/cuda/executor_kernels.h"
#include "tests/model/small_network.h"
#include "tests/model/ss2d_leaves.h"
#include "torch/library.h"

namespace groupmamba {
namespace {

using kernels::Direction;

device::Device ExecutorFor(const at::Tensor& xz) {
  return {.type = xz.scalar_type(),
          .kernels = &testing::ExecutorKernels(),
          .stream = []() -> CUstream_st* { return nullptr; },
          .multiprocessors = 20};
}

std::tuple<at::Tensor, at::Tensor> Forward(const at::Tensor& xz,
                                           at::TensorList parameters,
                                           int64_t height, int64_t width,
                                           int64_t direction, double epsilon,
                                           int64_t saved) {
  return device::CoreForward(ExecutorFor(xz), xz, parameters, height, width,
                             direction, epsilon, saved > 0);
}

std::tuple<at::Tensor, std::vector<at::Tensor>> Backward(
    const at::Tensor& gradient, const at::Tensor& xz, const at::Tensor& saved,
    at::TensorList parameters, int64_t height, int64_t width, int64_t direction,
    double epsilon) {
  return device::CoreBackward(ExecutorFor(xz), gradient, xz, saved, parameters,
                              height, width, direction, epsilon);
}

// In this test's process the processor's tensors are the device's.
class DeviceSs2dCore : public ::testing::TestWithParam<Direction> {
 protected:
  DeviceSs2dCore()
      : kernels_(torch::Library::IMPL, "groupmamba", c10::DispatchKey::CPU,
                 __FILE__, __LINE__) {
    at::manual_seed(1);
    kernels_.impl("_ss2d_core_forward", Forward);
    kernels_.impl("_ss2d_core_backward", Backward);
  }

  void ExpectTheCompositions(const Leaves& exact, at::ScalarType type) {
    const bool bf16 = type == at::kBFloat16;
    const Leaves leaves = bf16 ? exact.Rounded() : exact;
    const auto want =
        ValueAndGradients(leaves.In(at::kDouble), GetParam(), Ss2dComposition);
    const auto got = ValueAndGradients(leaves.In(type, at::kFloat, at::kCPU),
                                       GetParam(), Ss2dCore);
    EXPECT_EQ(got[0].scalar_type(), type);
    EXPECT_LE(RelativeDifference(got[0], want[0]), bf16 ? 5e-3 : 1e-5);
    for (size_t i = 1; i < got.size(); ++i) {
      EXPECT_EQ(got[i].sizes(), want[i].sizes()) << kNames[i - 1];
      if (want[i].count_nonzero().item<int64_t>() == 0) continue;
      EXPECT_LE(RelativeDifference(got[i], want[i]), bf16 ? 1.5e-2 : 1e-5)
          << kNames[i - 1] << ", " << leaves.all[0].sizes() << ", " << type;
    }
  }

 private:
  torch::Library kernels_;
};

INSTANTIATE_TEST_SUITE_P(Directions, DeviceSs2dCore,
                         ::testing::Values(Direction::kLeftRight,
                                           Direction::kRightLeft,
                                           Direction::kTopBottom,
                                           Direction::kBottomTop));

TEST_P(DeviceSs2dCore, GradientsAreThoseOfTheComposition) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    // Nothing is padded; pictures are; channels are; both, with all ranks.
    ExpectTheCompositions(Leaves(4, {6, 7}, 24), type);
    ExpectTheCompositions(Leaves(5, {6, 7}, 16), type);
    ExpectTheCompositions(Leaves(4, {3, 5}, 19), type);
    ExpectTheCompositions(Leaves(2, {5, 4}, 87), type);
    ExpectTheCompositions(Leaves(1, {14, 14}, 112), type);
  }
}

TEST_P(DeviceSs2dCore, OneTokenAndOneLineAreEnough) {
  for (const Grid grid : {Grid{1, 1}, {1, 9}, {9, 1}}) {
    ExpectTheCompositions(Leaves(3, grid, 8), at::kFloat);
  }
}

TEST_P(DeviceSs2dCore, APicturesBitsDoNotDependOnItsBatch) {
  ExpectPicturesAloneAreTheSame(Leaves(6, {5, 4}, 24).In(at::kFloat),
                                GetParam(), {0, 3, 5});
}

TEST_P(DeviceSs2dCore, TakesSlicesAndGivesTheSameWithoutAGradient) {
  const Leaves leaves = Leaves(4, {5, 4}, 16).In(at::kFloat);
  // Rows that are not aligned to 16 bytes, and a slice that begins off it.
  const at::Tensor wide = at::randn({4, 20, 35});
  const at::Tensor shifted = at::randn({4 * 20 * 32 + 1}).narrow(0, 1, 2560);
  for (const at::Tensor& xz :
       {wide.narrow(2, 1, 32), shifted.view({4, 20, 32})}) {
    const auto core = [&](const at::Tensor& x) {
      return Ss2dCore(x, leaves.Parameters(), leaves.grid, GetParam(),
                      kEpsilon);
    };
    const at::Tensor out = core(xz);
    EXPECT_TRUE(out.requires_grad());
    EXPECT_TRUE(out.equal(core(xz.clone(at::MemoryFormat::Contiguous))));
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(out.equal(core(xz)));
  }
}

TEST_P(DeviceSs2dCore, RefusesWhatDoesNotFit) {
  const Leaves leaves(4, {2, 3}, 8);
  const auto run = [&](const Leaves& with) {
    return Ss2dCore(with.all[0], with.Parameters(), leaves.grid, GetParam(),
                    kEpsilon);
  };
  EXPECT_NO_THROW(run(leaves));
  EXPECT_THROW(run(Leaves(4, {2, 3}, 129)), c10::Error);
  EXPECT_THROW(run(Leaves(0, {2, 3}, 8)), c10::Error);
  for (size_t i = 0; i < leaves.all.size(); ++i) {
    Leaves wrong = leaves;
    wrong.all[i] = at::randn({5});
    EXPECT_THROW(run(wrong), c10::Error) << kNames[i];
    wrong.all[i] = leaves.all[i].to(at::kDouble);
    EXPECT_THROW(run(wrong), c10::Error) << kNames[i];
    wrong.all[i] = leaves.all[i].to(at::kMeta);  // on another device
    EXPECT_THROW(Forward(wrong.all[0], at::TensorList(wrong.all).slice(1), 2, 3,
                         0, kEpsilon, /*saved=*/0),
                 c10::Error)
        << kNames[i];
  }
  // What the backward pass is handed besides.
  const at::Tensor xz = leaves.all[0], out = run(leaves);
  const at::TensorList parameters = at::TensorList(leaves.all).slice(1);
  const int64_t states = device::CoreStates(
      {.height = 2, .width = 3, .channels = 8, .rank = 1}, at::kFloat);
  const at::Tensor saved = at::zeros({4, states});
  const auto back = [&](const at::Tensor& gradient, const at::Tensor& from) {
    return Backward(gradient, xz, from, parameters, 2, 3, 0, kEpsilon);
  };
  EXPECT_NO_THROW(back(out, saved));
  EXPECT_THROW(back(out.narrow(0, 0, 3), saved), c10::Error);
  EXPECT_THROW(back(out.to(at::kBFloat16), saved), c10::Error);
  EXPECT_THROW(back(out, saved.narrow(1, 0, states - 1)), c10::Error);
  EXPECT_THROW(back(out, saved.to(at::kDouble)), c10::Error);
}

TEST(PackCoreParameters, IsWhatTheProcessorPacks) {
  for (const int d : {8, 19, 87, 128}) {
    Leaves leaves(1, {1, 1}, d);
    std::vector<at::Tensor> parameters(leaves.all.begin() + 1,
                                       leaves.all.end());
    const at::Tensor packed = device::PackCoreParameters(parameters);
    cuda::Ss2dShape shape;
    shape.group_width = d;
    shape.rank = static_cast<int>(Leaves::Rank(d));
    const auto at = [&](int i) {
      return parameters[i].const_data_ptr<float>();
    };
    at::Tensor want = at::empty(
        {static_cast<int64_t>(cuda::PackedSs2dFloats(shape))}, at::kFloat);
    for (int group = 0; group < cuda::kGroups; ++group) {
      cuda::PackSs2dParameters(
          shape, group,
          {at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8)},
          want.mutable_data_ptr<float>());
    }
    EXPECT_TRUE(packed.is_contiguous());
    EXPECT_EQ(packed.numel(), want.numel());
    // LibTorch's exp may round otherwise.
    EXPECT_TRUE(packed.flatten().allclose(want, 1e-6, 0)) << d;
  }
}

TEST(CoreStates, AreNoneWhereTheKernelsAreNotMadeForIt) {
  const kernels::Ss2dShape shape = {
      .height = 14, .width = 14, .channels = 87, .rank = 6};
  EXPECT_GT(device::CoreStates(shape, at::kFloat), 0);
  EXPECT_EQ(device::CoreStates(shape, at::kBFloat16),
            device::CoreStates(shape, at::kFloat));
  EXPECT_EQ(device::CoreStates(shape, at::kDouble), 0);
  EXPECT_EQ(device::CoreStates(shape, at::kHalf), 0);
  kernels::Ss2dShape other = shape;
  other.channels = 129;
  EXPECT_EQ(device::CoreStates(other, at::kFloat), 0);
  other = shape;
  other.rank = 7;
  EXPECT_EQ(device::CoreStates(other, at::kFloat), 0);
  other = shape;
  other.height = 1 << 21;
  EXPECT_EQ(device::CoreStates(other, at::kFloat), 0);
}

}  // namespace
}  // namespace groupmamba
