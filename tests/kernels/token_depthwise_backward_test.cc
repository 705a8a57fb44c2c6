// The gradient of the depthwise convolution and its activation: every
// implementation against sums in double precision.

#include <cmath>
#include <utility>
#include <vector>

#include "kernels/token_kernels.h"
#include "tests/kernels/token_fixture.h"

namespace groupmamba::testing {
namespace {

using kernels::Activation;
using kernels::Isa;

class TokenDepthwiseBackwardTest : public TokenKernelsTest {};
INSTANTIATE_TEST_SUITE_P(Isa, TokenDepthwiseBackwardTest,
                         ::testing::Values(Isa::kPortable, Isa::kAvx2,
                                           Isa::kAvx512),
                         IsaTestName);

struct Problem {
  Problem(int64_t height, int64_t width, int64_t channels)
      : height(height),
        width(width),
        channels(channels),
        x(RandomValues(height * width * channels, -2, 2, 20)),
        weight(RandomValues(9 * channels, -1, 1, 21)),
        bias(RandomValues(channels, -1, 1, 22)),
        dy(RandomValues(height * width * channels, -1, 1, 23)) {}

  int64_t height, width, channels;
  Values x, weight, bias, dy;
};

struct Gradients {
  Values dx, dw;  // dw: by the nine taps, then by the bias
};

double Slope(double (*activation)(double), double x) {
  constexpr double kStep = 1e-5;
  return (activation(x + kStep) - activation(x - kStep)) / (2 * kStep);
}

Gradients Expected(const Problem& p, double (*activation)(double)) {
  const Values sums = reference::DepthwiseConv(p.height, p.width, p.channels,
                                               p.x, p.weight, p.bias);
  Gradients want = {Values(p.x.size()), Values(10 * p.channels)};
  for (int64_t row = 0; row < p.height; ++row)
    for (int64_t column = 0; column < p.width; ++column)
      for (int64_t c = 0; c < p.channels; ++c) {
        const int64_t at = (row * p.width + column) * p.channels + c;
        const double dsum = p.dy[at] * Slope(activation, sums[at]);
        want.dw[9 * p.channels + c] += dsum;
        for (int tap = 0; tap < 9; ++tap) {
          const int64_t r = row + tap / 3 - 1, k = column + tap % 3 - 1;
          if (r < 0 || r >= p.height || k < 0 || k >= p.width) continue;
          const int64_t from = (r * p.width + k) * p.channels + c;
          want.dx[from] += dsum * p.weight[tap * p.channels + c];
          want.dw[tap * p.channels + c] += dsum * p.x[from];
        }
      }
  return want;
}

Gradients Derive(Isa isa, Activation activation, const Problem& p, int gap) {
  const Tensor x(p.x, p.channels, gap), dy(p.dy, p.channels, gap);
  const Tensor weight(p.weight, p.channels), bias(p.bias, p.channels);
  const Tensor dx(NaNs(p.x.size()), p.channels, gap);
  const Tensor dw(NaNs(10 * p.channels), p.channels);
  const Tensor scratch(NaNs((10 + p.height * p.width) * p.channels),
                       p.channels);
  kernels::DepthwiseConvBackward(
      isa, {.rows = p.height, .width = p.width, .channels = p.channels},
      activation,
      {.x = x.view(),
       .weight = weight.data(),
       .bias = bias.data(),
       .dy = dy.view(),
       .dx = dx.view(),
       .dw = dw.view().data,
       .scratch = scratch.view().data});
  return {dx.Get(), dw.Get()};
}

std::vector<Problem> Problems() {
  std::vector<Problem> problems;
  for (int channels : kChannels) problems.emplace_back(3, 4, channels);
  for (auto [height, width] :
       {std::pair{1, 1}, {1, 2}, {2, 1}, {1, 9}, {9, 1}, {7, 7}, {5, 14}}) {
    problems.emplace_back(height, width, 19);
  }
  return problems;
}

TEST_P(TokenDepthwiseBackwardTest, EqualsTheSumsInDouble) {
  for (const Problem& p : Problems()) {
    SCOPED_TRACE(::testing::Message()
                 << p.height << "x" << p.width << "x" << p.channels);
    for (const auto& [activation, reference] :
         {std::pair{Activation::kSilu, &reference::Silu},
          std::pair{Activation::kGelu, &reference::Gelu}}) {
      const Gradients want = Expected(p, reference);
      const Gradients got = Derive(GetParam(), activation, p, 3);
      EXPECT_LE(WorstError(got.dx, want.dx), 4e-6);
      EXPECT_LE(WorstError(got.dw, want.dw), 4e-6);
      EXPECT_LE(RelativeError(got.dx, want.dx), 1e-6);
      EXPECT_LE(RelativeError(got.dw, want.dw), 1e-6);
    }
  }
}

TEST_P(TokenDepthwiseBackwardTest, IsTheSameToTheBitWhateverTheStrides) {
  const Problem p(5, 9, 87);
  const Gradients once = Derive(GetParam(), Activation::kGelu, p, 0);
  const Gradients again = Derive(GetParam(), Activation::kGelu, p, 9);
  EXPECT_EQ(once.dx, again.dx);
  EXPECT_EQ(once.dw, again.dw);
}

TEST_P(TokenDepthwiseBackwardTest, SlopesOfLargeSumsAreThoseOfTheLimits) {
  Problem p(1, 6, 1);
  p.x = {1e30, -1e30, 50, -50, 8, -8};
  p.weight = {0, 0, 0, 0, 1, 0, 0, 0, 0};
  p.bias = {0};
  p.dy = Values(6, 1.0);
  for (Activation activation : {Activation::kSilu, Activation::kGelu}) {
    const Gradients got = Derive(GetParam(), activation, p, 0);
    for (int i : {0, 2, 4}) {
      EXPECT_NEAR(got.dx[i], 1, 3e-3) << i;
      EXPECT_NEAR(got.dx[i + 1], 0, 3e-3) << i;
    }
  }
}

}  // namespace
}  // namespace groupmamba::testing
