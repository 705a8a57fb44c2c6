// Bytes that the kernels move, counted by the executor, against the least that
// their inputs and outputs need. Within a block a sector of 32 bytes is loaded
// once (its L1 has it then); between blocks activations count again. Parameters
// count once a launch: all blocks find them in L2.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/elementwise_body.h"
#include "kernels/cuda/pooling_body.h"
#include "tests/kernels/cuda/device_values.h"
#include "tests/kernels/cuda/ss2d_backward_case.h"
#include "tests/kernels/cuda/ss2d_core_case.h"
#include "tests/testing/cuda_executor.h"

namespace groupmamba::testing {
namespace {

using cuda::Bf16;

constexpr double kMost = 1.15;
// The borders of segments cost more backwards.
constexpr double kMostBackwards = 1.2;

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

// The least is five passes over the stage's tokens, the saved states, and the
// parameters three times: read, and their gradients, which a launch of its own
// adds.
TEST_P(TrafficTest, OfTheSs2dBackward) {
  const auto [side, width] = GetParam();
  const auto c = MakeSs2dBackwardCase<Bf16>(1, side, side, width, 1);
  const auto run = RunSs2dBackward(c, 0, {});
  ASSERT_EQ(run.failure, "");
  const double activations = static_cast<double>(
      (2 * c.forward.xz.size() + c.d_out.size()) * sizeof(Bf16));
  const double parameters =
      static_cast<double>(c.forward.parameters.size() * 4);
  const double states = static_cast<double>(run.states.loaded_distinct);
  const double moved = static_cast<double>(
      run.xz.loaded_by_blocks + run.d_out.loaded_by_blocks +
      run.states.loaded_by_blocks + run.parameters.loaded_distinct +
      run.written.stored + run.scratch.stored + 4 * run.partials.size());
  const double passes = (moved - 3 * parameters) / (activations / 5);
  RecordProperty("passes", std::to_string(passes));
  EXPECT_LE(moved, kMostBackwards * (activations + 3 * parameters + states));
  EXPECT_EQ(run.xz.narrow + run.d_out.narrow + run.parameters.narrow +
                run.states.narrow + run.written.narrow,
            0);
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

// What a launch moved, against the bytes of its buffers, each once.
class Ledger {
 public:
  template <class T>
  void Activations(const std::vector<T>& x) {
    inputs_.push_back(executor_.Input(x));
    least_ += static_cast<double>(x.size() * sizeof(T));
  }
  template <class T>
  void Parameters(const std::vector<T>& x) {
    parameters_.push_back(executor_.Input(x));
    least_ += static_cast<double>(x.size() * sizeof(T));
  }
  template <class T>
  void Output(const std::vector<T>& x) {
    outputs_.push_back(executor_.Output(x));
    least_ += static_cast<double>(x.size() * sizeof(T));
  }
  double Ratio(cuda::Grid grid, int shared_bytes,
               const std::function<void(const ExecutorContext&)>& body) {
    EXPECT_EQ(
        executor_.Launch({grid.blocks, grid.threads, shared_bytes}, {}, body),
        "");
    int64_t moved = 0;
    for (int i : inputs_) moved += executor_.traffic(i).loaded_by_blocks;
    for (int i : parameters_) moved += executor_.traffic(i).loaded_distinct;
    for (int i : outputs_) moved += executor_.traffic(i).stored;
    return static_cast<double>(moved) / least_;
  }

 private:
  CudaExecutor executor_;
  std::vector<int> inputs_, parameters_, outputs_;
  double least_ = 0;
};

TEST_P(TrafficTest, OfTheNorms) {
  const int tokens = GetParam().side * GetParam().side;
  const int padded = cuda::PaddedGroupWidth(GetParam().group_width);
  const cuda::ChannelLayout layout = {4, GetParam().group_width, padded};
  const int row = layout.row();
  const std::vector<Bf16> x(size_t(tokens) * row, Stored<Bf16>(1));
  std::vector<Bf16> out(x.size());
  const std::vector<float> weight(row, 1), bias(row, 0), shift(row, 1);
  std::vector<float> sums(size_t(cuda::LayerNormParts(tokens)) * row);
  const cuda::LayerNormArguments norm = {
      1,          tokens,       layout,        1e-5f,
      x.data(),   shift.data(), weight.data(), bias.data(),
      out.data(), sums.data()};
  Ledger of_norm;
  of_norm.Activations(x);
  for (const auto& parameter : {&shift, &weight, &bias}) {
    of_norm.Parameters(*parameter);
  }
  of_norm.Output(out);
  of_norm.Output(sums);
  EXPECT_LE(of_norm.Ratio(cuda::PlanLayerNorm(norm), 0,
                          [&](const ExecutorContext& ctx) {
                            cuda::LayerNormBody<Bf16, 2>(ctx, norm);
                          }),
            kMost);

  const std::vector<Bf16> y = x;
  const cuda::GatedNormArguments gated = {
      1,        tokens,       layout,        1e-5f,       y.data(),
      x.data(), shift.data(), weight.data(), bias.data(), out.data()};
  Ledger of_gated;
  of_gated.Activations(x);
  of_gated.Activations(y);
  for (const auto& parameter : {&shift, &weight, &bias}) {
    of_gated.Parameters(*parameter);
  }
  of_gated.Output(out);
  const cuda::Grid grid = cuda::PlanRows(tokens, layout);
  EXPECT_LE(of_gated.Ratio(grid, 0,
                           [&](const ExecutorContext& ctx) {
                             cuda::GatedNormBody<Bf16, 2>(ctx, gated,
                                                          grid.blocks);
                           }),
            kMost);
}

TEST_P(TrafficTest, OfTheMeanAndTheAffinity) {
  const int tokens = GetParam().side * GetParam().side;
  const int row = 4 * cuda::PaddedGroupWidth(GetParam().group_width);
  const std::vector<Bf16> x(size_t(tokens) * row, Stored<Bf16>(1));
  std::vector<float> mean(row);
  const cuda::TokenMeanArguments mean_arguments = {1, tokens, row, x.data(),
                                                   mean.data()};
  Ledger of_mean;
  of_mean.Activations(x);
  of_mean.Output(mean);
  EXPECT_LE(
      of_mean.Ratio(cuda::PlanTokenMean(mean_arguments, cuda::Storage::kBf16),
                    cuda::TokenMeanSizes<Bf16>::kSharedBytes,
                    [&](const ExecutorContext& ctx) {
                      cuda::TokenMeanBody<Bf16>(ctx, mean_arguments);
                    }),
      kMost);

  const int parts = cuda::LayerNormParts(tokens), hidden = row / 16;
  const std::vector<float> sums(size_t(parts) * row, 1);
  const std::vector<float> weight(size_t(hidden) * row, 1), bias1(hidden, 0),
      bias2(row, 0), weight2 = weight;
  std::vector<float> out(row);
  const cuda::AffinityArguments affinity = {1,
                                            parts,
                                            tokens,
                                            row,
                                            hidden,
                                            sums.data(),
                                            weight.data(),
                                            bias1.data(),
                                            weight2.data(),
                                            bias2.data(),
                                            out.data()};
  Ledger of_affinity;
  of_affinity.Activations(sums);
  for (const auto& parameter : {&weight, &bias1, &weight2, &bias2}) {
    of_affinity.Parameters(*parameter);
  }
  of_affinity.Output(out);
  const cuda::AffinityPlan plan = cuda::PlanAffinity(affinity);
  EXPECT_LE(of_affinity.Ratio(plan.grid, plan.shared_bytes,
                              [&](const ExecutorContext& ctx) {
                                cuda::AffinityBody(ctx, affinity);
                              }),
            kMost);
}

TEST(Traffic, OfTheNormalisation) {
  const std::vector<uint8_t> pixels(3 * 224 * 224, 7);
  std::vector<Bf16> out(pixels.size());
  cuda::NormaliseArguments arguments;
  arguments.count = static_cast<int64_t>(pixels.size());
  arguments.from = pixels.data();
  arguments.out = out.data();
  Ledger ledger;
  ledger.Activations(pixels);
  ledger.Output(out);
  EXPECT_LE(ledger.Ratio(cuda::PlanNormalise(arguments), 0,
                         [&](const ExecutorContext& ctx) {
                           cuda::NormaliseBody<Bf16>(ctx, arguments);
                         }),
            kMost);
}

}  // namespace
}  // namespace groupmamba::testing
