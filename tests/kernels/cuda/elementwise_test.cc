// The element-wise kernels, run by the executor, against sums in double.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/cuda/elementwise_body.h"
#include "tests/kernels/cuda/comparison.h"
#include "tests/reference/ss2d_core_oracle.h"

namespace groupmamba::testing {
namespace {

using cuda::Bf16;
using cuda::ChannelLayout;
using cuda::Grid;

constexpr float kEpsilon = 1e-5f;

template <class T>
class ElementwiseTest : public ::testing::Test {};

using Storages = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(ElementwiseTest, Storages);

// ---- pictures

TYPED_TEST(ElementwiseTest, NormalisesEveryByteByItsChannel) {
  // Whole vectors, a rest, and less than one vector.
  for (int pixels : {1, 5, 16, 37, 3000}) {
    std::vector<uint8_t> from;
    for (int i = 0; i < 3 * pixels; ++i) from.push_back(i * 89 % 256);
    const double mean[] = {0.485, 0.456, 0.406},
                 deviation[] = {0.229, 0.224, 0.225};
    std::vector<TypeParam> out(from.size());
    cuda::NormaliseArguments arguments;
    arguments.count = static_cast<int64_t>(from.size());
    arguments.from = from.data();
    arguments.out = out.data();
    for (int c = 0; c < 3; ++c) {
      arguments.scale[c] = static_cast<float>(1 / (255 * deviation[c]));
      arguments.shift[c] = static_cast<float>(-mean[c] / deviation[c]);
    }
    std::vector<double> want;
    for (size_t i = 0; i < from.size(); ++i) {
      want.push_back((from[i] / 255.0 - mean[i % 3]) / deviation[i % 3]);
    }
    Comparison(out, kTolerance<TypeParam>)
        .Reads(from)
        .Expect(cuda::PlanNormalise(arguments), 0, want,
                [&](const ExecutorContext& ctx) {
                  cuda::NormaliseBody<TypeParam>(ctx, arguments);
                });
  }
}

// ---- norms

// Rows with zeros where padded.
std::vector<float> RandomRows(int rows, const ChannelLayout& layout, float low,
                              float high, int seed) {
  std::vector<float> values =
      RandomFloats(rows * layout.row(), low, high, seed);
  for (size_t i = 0; i < values.size(); ++i) {
    if (static_cast<int>(i % layout.padded) >= layout.width) values[i] = 0;
  }
  return values;
}

// The norm of each padded row.
void NormRows(const ChannelLayout& layout, const std::vector<float>& weight,
              const std::vector<float>& bias, std::vector<double>* rows) {
  std::vector<int> places;
  std::vector<float> true_weight, true_bias;
  for (int i = 0; i < layout.row(); ++i) {
    if (i % layout.padded >= layout.width) continue;
    places.push_back(i);
    true_weight.push_back(weight[i]);
    true_bias.push_back(bias[i]);
  }
  for (size_t row = 0; row < rows->size(); row += layout.row()) {
    std::vector<double> x;
    for (int place : places) x.push_back((*rows)[row + place]);
    reference::LayerNorm(static_cast<int>(x.size()), kEpsilon,
                         true_weight.data(), true_bias.data(), x.data());
    for (size_t i = 0; i < x.size(); ++i) (*rows)[row + places[i]] = x[i];
  }
}

constexpr ChannelLayout kLayouts[] = {
    {4, 8, 8},     {4, 16, 16}, {4, 87, 88},   {4, 106, 112},  {4, 112, 112},
    {4, 128, 128}, {1, 37, 40}, {1, 348, 352}, {1, 1024, 1024}};

// Runs it with a shift and without, and checks the sums over parts too.
template <class T>
void ExpectLayerNorm(const ChannelLayout& layout, int batch, int tokens) {
  const auto x =
      StoredAll<T>(RandomRows(batch * tokens, layout, 3, 7, layout.width));
  const auto shift = RandomRows(1, layout, -3, 3, 1);
  const auto weight = RandomRows(1, layout, 0.5f, 1.5f, 2);
  const auto bias = RandomRows(1, layout, -1, 1, 3);
  const int row = layout.row(), parts = cuda::LayerNormParts(tokens);
  for (bool shifted : {false, true}) {
    std::vector<T> out(x.size());
    std::vector<float> sums(size_t(batch) * parts * row);
    std::vector<double> want = Doubles(x);
    if (shifted) {
      for (size_t i = 0; i < want.size(); ++i) want[i] += shift[i % row];
    }
    NormRows(layout, weight, bias, &want);
    const cuda::LayerNormArguments arguments = {
        batch,         tokens,      layout,
        kEpsilon,      x.data(),    shifted ? shift.data() : nullptr,
        weight.data(), bias.data(), out.data(),
        sums.data()};
    const Grid grid = cuda::PlanLayerNorm(arguments);
    Comparison comparison(out, kTolerance<T>);
    comparison.Reads(x).Reads(shift).Reads(weight).Reads(bias).Writes(sums);
    comparison.Expect(grid, 0, want, [&](const ExecutorContext& ctx) {
      if (row <= 512) {
        cuda::LayerNormBody<T, 2>(ctx, arguments);
      } else {
        cuda::LayerNormBody<T, 4>(ctx, arguments);
      }
    });
    std::vector<double> total(batch * row), wanted(batch * row);
    for (size_t i = 0; i < sums.size(); ++i) {
      total[i / row / parts * row + i % row] += sums[i];
    }
    for (size_t i = 0; i < want.size(); ++i) {
      wanted[i / row / tokens * row + i % row] += want[i];
    }
    EXPECT_LE(RelativeL2(total, wanted), 1e-5);
  }
}

TYPED_TEST(ElementwiseTest, LayerNormCountsTrueChannels) {
  for (const ChannelLayout& layout : kLayouts) {
    ExpectLayerNorm<TypeParam>(layout, 1, 1);
    ExpectLayerNorm<TypeParam>(layout, 2, 11);
  }
}

TYPED_TEST(ElementwiseTest, LayerNormsPartsAreOfOnePicture) {
  // Parts of two rows and one of the last picture's alone.
  ExpectLayerNorm<TypeParam>({4, 8, 8}, 3, 129);
}

struct Parts {
  bool x, scale, norm;
};

TYPED_TEST(ElementwiseTest, GatedNormTakesPlanarGroupsAndLeavesThemSideBySide) {
  constexpr int kBatch = 2, kTokens = 5;
  for (const ChannelLayout& layout : kLayouts) {
    for (const Parts& parts :
         {Parts{true, true, true}, {false, true, true}, {true, false, false}}) {
      const int row = layout.row(), padded = layout.padded;
      const auto y = StoredAll<TypeParam>(
          RandomRows(kBatch * kTokens, layout, -2, 2, layout.width));
      const auto x = StoredAll<TypeParam>(
          RandomRows(kBatch * kTokens, layout, -2, 2, layout.width + 1));
      const auto scale = RandomRows(kBatch, layout, 0, 1, 4);
      const auto weight = RandomRows(1, layout, 0.5f, 1.5f, 2);
      const auto bias = RandomRows(1, layout, -1, 1, 3);
      std::vector<double> want(x.size());
      for (int n = 0; n < kBatch; ++n)
        for (int t = 0; t < kTokens; ++t)
          for (int c = 0; c < row; ++c) {
            const int g = c / padded;
            const size_t at = (n * kTokens + t) * size_t(row) + c;
            want[at] = double{ToFloat(
                           y[((g * kBatch + n) * kTokens + t) * size_t(padded) +
                             c % padded])} *
                       (parts.x ? ToFloat(x[at]) : 1) *
                       (parts.scale ? scale[n * row + c] : 1);
          }
      if (parts.norm) NormRows(layout, weight, bias, &want);
      std::vector<TypeParam> out(x.size());
      const cuda::GatedNormArguments arguments = {
          kBatch,
          kTokens,
          layout,
          kEpsilon,
          y.data(),
          parts.x ? x.data() : nullptr,
          parts.scale ? scale.data() : nullptr,
          parts.norm ? weight.data() : nullptr,
          bias.data(),
          out.data()};
      const Grid grid = cuda::PlanRows(kBatch * kTokens, layout);
      Comparison(out, kTolerance<TypeParam>)
          .Reads(y)
          .Reads(x)
          .Reads(scale)
          .Reads(weight)
          .Reads(bias)
          .Expect(grid, 0, want, [&](const ExecutorContext& ctx) {
            if (row <= 512) {
              cuda::GatedNormBody<TypeParam, 2>(ctx, arguments, grid.blocks);
            } else {
              cuda::GatedNormBody<TypeParam, 4>(ctx, arguments, grid.blocks);
            }
          });
    }
  }
}

// ---- feed-forward

double GeluOf(double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }

struct Picture {
  int batch, height, width, channels;
};

TYPED_TEST(ElementwiseTest, DepthwiseConvolutionAndGelu) {
  for (const Picture& p : {Picture{1, 1, 1, 8},
                           {2, 7, 7, 72},
                           {1, 5, 33, 24},
                           {1, 30, 17, 16},
                           {1, 3, 2, 1392}}) {
    const size_t tokens = size_t(p.height) * p.width;
    const auto x = StoredAll<TypeParam>(
        RandomFloats(p.batch * tokens * p.channels, -2, 2, p.width));
    const auto by_channel = RandomFloats(p.channels * 9, -1, 1, 1);
    const auto bias = RandomFloats(p.channels, -1, 1, 2);
    std::vector<float> weight(by_channel.size());
    for (int c = 0; c < p.channels; ++c)
      for (int tap = 0; tap < 9; ++tap) {
        weight[tap * p.channels + c] = by_channel[c * 9 + tap];
      }
    std::vector<double> want;
    const std::vector<double> input = Doubles(x);
    for (int n = 0; n < p.batch; ++n) {
      const auto picture = input.begin() + n * tokens * p.channels;
      for (double y : reference::DepthwiseConvolution(
               p.height, p.width, p.channels, by_channel, bias,
               {picture, picture + tokens * p.channels})) {
        want.push_back(GeluOf(y));
      }
    }
    std::vector<TypeParam> out(x.size());
    const cuda::DepthwiseGeluArguments arguments = {
        p.batch,  p.height,      p.width,     p.channels,
        x.data(), weight.data(), bias.data(), out.data()};
    for (int min_blocks : {1, 50}) {
      const auto plan =
          cuda::PlanDepthwise(arguments, StorageOf<TypeParam>(), min_blocks);
      Comparison(out, kTolerance<TypeParam>)
          .Reads(x)
          .Reads(weight)
          .Reads(bias)
          .Expect(plan.grid, 0, want, [&](const ExecutorContext& ctx) {
            cuda::DepthwiseGeluBody<TypeParam>(ctx, arguments, plan);
          });
    }
  }
}

TEST(Gelu, IsWithinAFewUnitsOfTheTruth) {
  CudaExecutor executor;
  EXPECT_EQ(executor.Launch({1, 32, 0}, {},
                            [](const ExecutorContext& ctx) {
                              for (float x = -12 + 0.01f * ctx.Thread(); x < 12;
                                   x += 0.32f) {
                                EXPECT_NEAR(cuda::Gelu(ctx, x), GeluOf(x),
                                            1e-6);
                              }
                              EXPECT_EQ(cuda::Gelu(ctx, 1e30f), 1e30f);
                              EXPECT_EQ(cuda::Gelu(ctx, -1e30f), 0);
                            }),
            "");
}

// ---- plans

TEST(ElementwisePlan, RefusesWhatTheKernelsAreNotMadeFor) {
  EXPECT_EQ(cuda::PlanRows(0, {4, 16, 16}).blocks, 0);
  EXPECT_EQ(cuda::PlanRows(1, {4, 87, 87}).blocks, 0);
  EXPECT_EQ(cuda::PlanRows(1, {4, 17, 16}).blocks, 0);
  EXPECT_EQ(cuda::PlanRows(1, {4, 264, 264}).blocks, 0);
  EXPECT_EQ(cuda::PlanNormalise({4}).blocks, 0);
  EXPECT_EQ(
      cuda::PlanDepthwise({1, 7, 7, 12}, cuda::Storage::kBf16).grid.blocks, 0);
  EXPECT_EQ(cuda::PlanLayerNorm({0, 1, {4, 16, 16}}).blocks, 0);
  EXPECT_EQ(cuda::PlanLayerNorm({1, 1, {4, 17, 16}}).blocks, 0);
}

TEST(ElementwisePlan, CutsFinerWhereBlocksAreFew) {
  EXPECT_EQ(cuda::PlanRows(3136, {4, 16, 16}).blocks, 98);
  EXPECT_EQ(cuda::PlanRows(3136, {4, 16, 16}, 784).blocks, 784);
  const cuda::DepthwiseGeluArguments picture = {1, 14, 14, 1392};
  EXPECT_GE(cuda::PlanDepthwise(picture, cuda::Storage::kBf16, 100).grid.blocks,
            100);
}

}  // namespace
}  // namespace groupmamba::testing
