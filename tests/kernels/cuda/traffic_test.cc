// Bytes that the kernels move, counted by the executor, against the least that
// their inputs and outputs need. Within a block a sector of 32 bytes is loaded
// once (its L1 has it then); between blocks activations count again. Parameters
// count once a launch: all blocks find them in L2.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/cuda/elementwise_body.h"
#include "tests/kernels/cuda/device_values.h"
#include "tests/kernels/cuda/ss2d_core_case.h"
#include "tests/testing/cuda_executor.h"

namespace groupmamba::testing {
namespace {

using cuda::Bf16;

constexpr double kMost = 1.15;

struct Stage {
  int side;
  int group_width;
};

class TrafficTest : public ::testing::TestWithParam<Stage> {};

// Of tiny, at pictures of 224 pixels a side.
INSTANTIATE_TEST_SUITE_P(StagesOfTiny, TrafficTest,
                         ::testing::Values(Stage{56, 16}, Stage{28, 32},
                                           Stage{14, 87}, Stage{7, 112}));

TEST_P(TrafficTest, OfTheSs2dCore) {
  const auto [side, width] = GetParam();
  const auto c = MakeSs2dCase<Bf16>(1, side, side, width, 1);
  const auto run = RunSs2dCore(c, 0, {});
  ASSERT_EQ(run.failure, "");
  const double activations =
      static_cast<double>((c.xz.size() + run.out.size()) * sizeof(Bf16));
  const double parameters = static_cast<double>(c.parameters.size() * 4);
  const double moved =
      static_cast<double>(run.xz.loaded_by_blocks + run.written.stored +
                          run.parameters.loaded_distinct);
  const double ratio = moved / (activations + parameters);
  RecordProperty("ratio", std::to_string(ratio));
  EXPECT_LE(ratio, kMost);
  EXPECT_EQ(run.xz.narrow + run.parameters.narrow + run.written.narrow, 0);
}

TEST_P(TrafficTest, OfTheDepthwiseConvolutionWithGelu) {
  constexpr int kChannels = 128;  // of a block and more: the same tiles as all
  const int side = GetParam().side;
  const std::vector<Bf16> x(side * side * kChannels, Stored<Bf16>(1));
  const std::vector<float> weight(9 * kChannels, 1), bias(kChannels, 0);
  std::vector<Bf16> out(x.size());
  const cuda::DepthwiseGeluArguments arguments = {
      1,        side,          side,        kChannels,
      x.data(), weight.data(), bias.data(), out.data()};
  const auto plan = cuda::PlanDepthwise(arguments, cuda::Storage::kBf16);
  CudaExecutor executor;
  const int from = executor.Input(x);
  executor.Input(weight);
  executor.Input(bias);
  const int to = executor.Output(out);
  ASSERT_EQ(executor.Launch({plan.grid.blocks, plan.grid.threads, 0}, {},
                            [&](const ExecutorContext& ctx) {
                              cuda::DepthwiseGeluBody<Bf16>(ctx, arguments,
                                                            plan);
                            }),
            "");
  const double least = 2.0 * static_cast<double>(x.size()) * sizeof(Bf16);
  const double ratio =
      static_cast<double>(executor.traffic(from).loaded_by_blocks +
                          executor.traffic(to).stored) /
      least;
  RecordProperty("ratio", std::to_string(ratio));
  EXPECT_LE(ratio, kMost);
  EXPECT_EQ(executor.traffic(from).narrow + executor.traffic(to).narrow, 0);
}

}  // namespace
}  // namespace groupmamba::testing
