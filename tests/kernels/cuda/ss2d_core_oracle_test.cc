// The SS2D core's oracle of the backward pass against differences of its
// forward one, both in double: every input and every parameter.

#include "tests/reference/ss2d_core_oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/cuda/device_values.h"
#include "tests/kernels/cuda/ss2d_core_case.h"

namespace groupmamba::testing {
namespace {

using kernels::Direction;

std::vector<double> RandomDoubles(size_t count, int seed) {
  const std::vector<float> values = RandomFloats(count, -2, 2, seed);
  return {values.begin(), values.end()};
}

struct Problem {
  reference::Ss2dGroup group;
  int height, width;
  Direction direction;
  std::vector<double> x, z, dout;

  double Loss() const {
    const std::vector<double> out = reference::Ss2dCore(
        group, height, width, direction, kOutNormEpsilon, x, z);
    double sum = 0;
    for (size_t i = 0; i < out.size(); ++i) sum += out[i] * dout[i];
    return sum;
  }
};

// The slope of the loss by each of `values` (part of the problem), by
// differences of fourth order. Steps are what fp32 makes of them.
template <class T>
std::vector<double> Slopes(const Problem& problem, std::vector<T>& values) {
  constexpr double kStep = 0x1p-9;
  std::vector<double> slopes;
  for (T& value : values) {
    const T centre = value;
    double difference[2];
    for (int far : {1, 2}) {
      value = centre + static_cast<T>(far * kStep);
      const double right = value, above = problem.Loss();
      value = centre - static_cast<T>(far * kStep);
      difference[far - 1] = (above - problem.Loss()) / (right - double{value});
    }
    value = centre;
    slopes.push_back((4 * difference[0] - difference[1]) / 3);
  }
  return slopes;
}

class Ss2dCoreOracleTest : public ::testing::TestWithParam<Direction> {};

INSTANTIATE_TEST_SUITE_P(Directions, Ss2dCoreOracleTest,
                         ::testing::Values(Direction::kLeftRight,
                                           Direction::kTopBottom,
                                           Direction::kRightLeft,
                                           Direction::kBottomTop));

TEST_P(Ss2dCoreOracleTest, GradientsAreTheSlopesOfTheForward) {
  constexpr int kHeight = 3, kWidth = 4, kChannels = 18;  // of rank 2
  const auto c = MakeSs2dCase<float>(1, kHeight, kWidth, kChannels, 3);
  const size_t values = kHeight * kWidth * kChannels;
  Problem p = {c.groups[0],
               kHeight,
               kWidth,
               GetParam(),
               RandomDoubles(values, 1),
               RandomDoubles(values, 2),
               RandomDoubles(values, 3)};
  const reference::Ss2dGradients got =
      reference::Ss2dCoreBackward(p.group, p.height, p.width, p.direction,
                                  kOutNormEpsilon, p.x, p.z, p.dout);
  constexpr double kMost = 1e-7;
  reference::Ss2dGroup& g = p.group;
  EXPECT_LE(RelativeL2(got.dx, Slopes(p, p.x)), kMost);
  EXPECT_LE(RelativeL2(got.dz, Slopes(p, p.z)), kMost);
  EXPECT_LE(RelativeL2(got.convolution_weight, Slopes(p, g.convolution_weight)),
            kMost);
  EXPECT_LE(RelativeL2(got.convolution_bias, Slopes(p, g.convolution_bias)),
            kMost);
  EXPECT_LE(RelativeL2(got.x_proj_weight, Slopes(p, g.x_proj_weight)), kMost);
  EXPECT_LE(RelativeL2(got.dt_projs_weight, Slopes(p, g.dt_projs_weight)),
            kMost);
  EXPECT_LE(RelativeL2(got.dt_projs_bias, Slopes(p, g.dt_projs_bias)), kMost);
  EXPECT_LE(RelativeL2(got.a_logs, Slopes(p, g.a_logs)), kMost);
  EXPECT_LE(RelativeL2(got.ds, Slopes(p, g.ds)), kMost);
  EXPECT_LE(RelativeL2(got.out_norm_weight, Slopes(p, g.out_norm_weight)),
            kMost);
  EXPECT_LE(RelativeL2(got.out_norm_bias, Slopes(p, g.out_norm_bias)), kMost);
}

}  // namespace
}  // namespace groupmamba::testing
