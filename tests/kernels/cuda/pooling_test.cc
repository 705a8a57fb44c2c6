// The kernels that summarise a picture, run by the executor, against sums in
// double.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "kernels/cuda/pooling_body.h"
#include "tests/kernels/cuda/comparison.h"

namespace groupmamba::testing {
namespace {

using cuda::Bf16;
using cuda::Grid;

template <class T>
class PoolingTest : public ::testing::Test {};

using Storages = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(PoolingTest, Storages);

struct Picture {
  int batch, height, width, channels;
};

// ---- mean

TYPED_TEST(PoolingTest, MeanOverTokens) {
  for (const Picture& p : {Picture{1, 1, 1, 8},
                           {2, 7, 7, 448},
                           {3, 1, 130, 24},
                           {1, 23, 23, 64}}) {
    const int tokens = p.height * p.width;
    const auto x = StoredAll<TypeParam>(
        RandomFloats(size_t(p.batch) * tokens * p.channels, -1, 3, tokens));
    std::vector<double> want(p.batch * p.channels);
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t image = i / (tokens * p.channels);
      want[image * p.channels + i % p.channels] +=
          double{ToFloat(x[i])} / tokens;
    }
    std::vector<float> out(want.size());
    const cuda::TokenMeanArguments arguments = {p.batch, tokens, p.channels,
                                                x.data(), out.data()};
    Comparison(out, 1e-5).Reads(x).Expect(
        cuda::PlanTokenMean(arguments, StorageOf<TypeParam>()),
        cuda::TokenMeanSizes<TypeParam>::kSharedBytes, want,
        [&](const ExecutorContext& ctx) {
          cuda::TokenMeanBody<TypeParam>(ctx, arguments);
        });
  }
}

TYPED_TEST(PoolingTest, TheMeansBarrierIsNeeded) {
  const auto x = StoredAll<TypeParam>(RandomFloats(64 * 16, -1, 1, 1));
  std::vector<float> out(16);
  const cuda::TokenMeanArguments arguments = {1, 64, 16, x.data(), out.data()};
  const Grid grid = cuda::PlanTokenMean(arguments, StorageOf<TypeParam>());
  for (Order order : {Order::kForward, Order::kReverse, Order::kShuffled}) {
    CudaExecutor executor;
    executor.Input(x);
    executor.Output(out);
    EXPECT_NE(executor.Launch(
                  {grid.blocks, grid.threads,
                   cuda::TokenMeanSizes<TypeParam>::kSharedBytes},
                  {.order = order, .removed_barrier = cuda::kSummedByWarps},
                  [&](const ExecutorContext& ctx) {
                    cuda::TokenMeanBody<TypeParam>(ctx, arguments);
                  }),
              "");
  }
}

// ---- affinity

struct AffinityCase {
  AffinityCase(int batch, int parts, int tokens, int channels, int hidden)
      : sums(RandomFloats(size_t(batch) * parts * channels, -9, 9, channels)),
        weight1(RandomFloats(size_t(hidden) * channels, -1, 1, 1)),
        bias1(RandomFloats(hidden, -1, 1, 2)),
        weight2(RandomFloats(size_t(hidden) * channels, -1, 1, 3)),
        bias2(RandomFloats(channels, -1, 1, 4)),
        out(size_t(batch) * channels),
        arguments{batch,          parts,        tokens,         channels,
                  hidden,         sums.data(),  weight1.data(), bias1.data(),
                  weight2.data(), bias2.data(), out.data()} {}

  std::vector<double> Want() const {
    const cuda::AffinityArguments& a = arguments;
    std::vector<double> want;
    for (int n = 0; n < a.batch; ++n) {
      std::vector<double> mean(a.channels);
      for (int i = 0; i < a.parts * a.channels; ++i) {
        mean[i % a.channels] +=
            double{sums[size_t(n) * a.parts * a.channels + i]} / a.tokens;
      }
      std::vector<double> logits(bias2.begin(), bias2.end());
      for (int j = 0; j < a.hidden; ++j) {
        double hidden = bias1[j];
        for (int c = 0; c < a.channels; ++c) {
          hidden += mean[c] * weight1[j * a.channels + c];
        }
        for (int c = 0; c < a.channels && hidden > 0; ++c) {
          logits[c] += hidden * weight2[j * a.channels + c];
        }
      }
      for (double x : logits) want.push_back(1 / (1 + std::exp(-x)));
    }
    return want;
  }

  std::vector<float> sums, weight1, bias1, weight2, bias2, out;
  cuda::AffinityArguments arguments;
};

TEST(Affinity, WeighsChannelsByTheMeanOfTheParts) {
  for (const auto& [batch, parts, tokens, channels, hidden] :
       {std::array{1, 1, 1, 8, 1},
        {2, 98, 784, 128, 8},
        {1, 13, 49, 448, 28},
        {3, 66, 196, 352, 21},
        {1, 5, 40, 1024, 64}}) {
    AffinityCase c(batch, parts, tokens, channels, hidden);
    const cuda::AffinityPlan plan = cuda::PlanAffinity(c.arguments);
    Comparison(c.out, 1e-5)
        .Reads(c.sums)
        .Reads(c.weight1)
        .Reads(c.bias1)
        .Reads(c.weight2)
        .Reads(c.bias2)
        .Expect(plan.grid, plan.shared_bytes, c.Want(),
                [&](const ExecutorContext& ctx) {
                  cuda::AffinityBody(ctx, c.arguments);
                });
  }
}

TEST(Affinity, EachOfItsBarriersIsNeeded) {
  for (int barrier = 0; barrier < cuda::kAffinityBarriers; ++barrier) {
    for (Order order : {Order::kForward, Order::kReverse, Order::kShuffled}) {
      AffinityCase c(1, 9, 36, 64, 12);
      const cuda::AffinityPlan plan = cuda::PlanAffinity(c.arguments);
      CudaExecutor executor;
      executor.Input(c.sums);
      executor.Input(c.weight1);
      executor.Input(c.bias1);
      executor.Input(c.weight2);
      executor.Input(c.bias2);
      executor.Output(c.out);
      EXPECT_NE(executor.Launch(
                    {plan.grid.blocks, plan.grid.threads, plan.shared_bytes},
                    {.order = order, .removed_barrier = barrier},
                    [&](const ExecutorContext& ctx) {
                      cuda::AffinityBody(ctx, c.arguments);
                    }),
                "");
    }
  }
}

TEST(PoolingPlan, RefusesWhatTheKernelsAreNotMadeFor) {
  EXPECT_EQ(cuda::PlanTokenMean({1, 0, 64}, cuda::Storage::kBf16).blocks, 0);
  EXPECT_EQ(cuda::PlanAffinity({1, 1, 1, 1032, 4}).grid.blocks, 0);
  EXPECT_EQ(cuda::PlanAffinity({1, 1, 1, 12, 4}).grid.blocks, 0);
  EXPECT_EQ(cuda::PlanAffinity({1, 1, 0, 64, 4}).grid.blocks, 0);
}

}  // namespace
}  // namespace groupmamba::testing
