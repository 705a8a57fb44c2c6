// The SS2D core: in double against the oracle and against finite differences of
// it, then every implementation against the core in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/ss2d_core.h"
#include "tests/kernels/guarded_tensor.h"
#include "tests/kernels/scan_case.h"
#include "tests/reference/ss2d_core_oracle.h"

namespace groupmamba::testing {
namespace {

using kernels::Direction;
using kernels::Isa;
using kernels::Ss2dCore;
using kernels::Ss2dShape;
using kernels::Ss2dTensors;

constexpr double kEpsilon = 1e-5;

// Values or gradients of everything that the core has a gradient by: xz
// [token][2 d], then the parameters.
using Values = std::vector<std::vector<double>>;
constexpr const char* kNames[] = {"xz",
                                  "convolution_weight",
                                  "convolution_bias",
                                  "x_proj_weight",
                                  "dt_projs_weight",
                                  "dt_projs_bias",
                                  "a_logs",
                                  "ds",
                                  "out_norm_weight",
                                  "out_norm_bias"};
constexpr size_t kOperands = 10;

std::vector<size_t> Sizes(const Ss2dShape& s) {
  const size_t tokens = s.height * s.width, d = s.channels, rank = s.rank;
  return {tokens * 2 * d, 9 * d, d, (rank + 2) * d, d * rank, d, d, d, d, d};
}

Values RandomOperands(const Ss2dShape& shape, int seed) {
  const double low[] = {-2, -0.5, -0.5, -0.4, -0.4, -4, -1, -1, 0.5, -0.5};
  const double high[] = {2, 0.5, 0.5, 0.4, 0.4, 1, 1, 1, 1.5, 0.5};
  Values values;
  const std::vector<size_t> sizes = Sizes(shape);
  for (size_t i = 0; i < kOperands; ++i) {
    values.push_back(RandomValues(sizes[i], low[i], high[i], seed + 7 * i));
  }
  return values;
}

std::vector<double> RandomGradient(const Ss2dShape& shape) {
  return RandomValues(shape.height * shape.width * shape.channels, -1, 1, 99);
}

template <class T, class Tensors>
Ss2dTensors<T> TensorsOf(Tensors& p) {
  return {p[1].data(), p[2].data(), p[3].data(), p[4].data(), p[5].data(),
          p[6].data(), p[7].data(), p[8].data(), p[9].data()};
}

template <class Scalar>
struct Result {
  std::vector<double> out;
  Values gradients;
};

// Memory without guards: for the core in double, which is the judge.
Result<double> RunDouble(const Ss2dShape& shape, const Values& operands,
                         const std::vector<double>& dout) {
  const Ss2dCore<double> core(Isa::kPortable, shape, kEpsilon,
                              TensorsOf<const double>(operands));
  const int64_t d = shape.channels;
  Result<double> result;
  result.out.resize(dout.size());
  for (const size_t size : Sizes(shape)) result.gradients.emplace_back(size);
  std::vector<double> states(Ss2dCore<double>::StateCount(shape));
  std::vector<double> share(core.gradient_count());
  std::vector<double> scratch(
      std::max(core.forward_scratch(), core.backward_scratch()) + 8);
  double* const aligned =
      scratch.data() + 8 - reinterpret_cast<uintptr_t>(scratch.data()) % 64 / 8;
  core.Forward({operands[0].data(), 2 * d}, {result.out.data(), d},
               states.data(), aligned);
  core.Backward({operands[0].data(), 2 * d}, states.data(), {dout.data(), d},
                {result.gradients[0].data(), 2 * d}, share.data(), aligned);
  core.SumGradients(share.data(), 1, TensorsOf<double>(result.gradients));
  return result;
}

struct Filled : GuardedTensor {
  Filled(int64_t rows, const std::vector<double>& values, int gap)
      : GuardedTensor(1, rows, values.size() / rows, gap) {
    Fill(values);
  }
};

// Whole lines of the cache, poisoned, that end before forbidden memory.
struct Scratch : Filled {
  explicit Scratch(int64_t count)
      : Filled(1,
               std::vector<double>((count + 15) / 16 * 16,
                                   std::numeric_limits<double>::quiet_NaN()),
               0) {}
};

// One implementation; everything that it may touch is guarded, and `gap` floats
// lie between tokens.
Result<float> RunIsa(Isa isa, const Ss2dShape& shape, const Values& operands,
                     const std::vector<double>& dout_values, int gap) {
  std::vector<std::vector<float>> parameters;
  for (const std::vector<double>& x : operands) {
    parameters.emplace_back(x.begin(), x.end());
  }
  const Ss2dCore<float> core(isa, shape, kEpsilon,
                             TensorsOf<const float>(parameters));
  const int64_t d = shape.channels, tokens = shape.height * shape.width;
  const Filled xz(tokens, operands[0], gap);
  const Filled dout(tokens, dout_values, gap);
  const GuardedTensor out(1, tokens, d, gap), dxz(1, tokens, 2 * d, gap);
  const GuardedTensor states(1, 1, Ss2dCore<float>::StateCount(shape), 0);
  const GuardedTensor share(1, 1, core.gradient_count(), 0);
  const auto view = [](const GuardedTensor& x) {
    return kernels::Tokens{x.data(), x.view().token_stride};
  };
  core.Forward(view(xz), view(out), states.data(),
               Scratch(core.forward_scratch()).data());
  core.Backward(view(xz), states.data(), view(dout), view(dxz), share.data(),
                Scratch(core.backward_scratch()).data());
  EXPECT_TRUE(out.GapsAreUntouched() && dxz.GapsAreUntouched());
  core.SumGradients(share.data(), 1, TensorsOf<float>(parameters));
  Result<float> result;
  result.out = out.ToDense();
  result.gradients.push_back(dxz.ToDense());
  for (size_t i = 1; i < kOperands; ++i) {
    result.gradients.emplace_back(parameters[i].begin(), parameters[i].end());
  }
  return result;
}

int64_t RankOf(int64_t channels) { return (channels + 15) / 16; }

// Every width of the models and odd ones, grids from 1x1 on, more steps than
// one chunk and fewer; for every direction.
std::vector<Ss2dShape> Shapes() {
  std::vector<Ss2dShape> shapes;
  for (Direction direction : kDirections) {
    for (int64_t d : {1, 3, 8, 15, 16, 17, 24, 32, 48, 87, 106, 112, 128}) {
      shapes.push_back({5, 9, d, RankOf(d), direction});
    }
    for (auto [height, width] : {std::pair{1, 1},
                                 {1, 40},
                                 {40, 1},
                                 {7, 7},
                                 {2, 2},
                                 {8, 4},
                                 {13, 11}}) {
      shapes.push_back({height, width, 19, 2, direction});
    }
    shapes.push_back({28, 28, 32, 2, direction});
    shapes.push_back({3, 3, 20, 9, direction});  // rank above a tile
  }
  return shapes;
}

std::string Describe(const Ss2dShape& s) {
  return absl::StrCat(s.height, "x", s.width, "x", s.channels, ", direction ",
                      static_cast<int>(s.direction));
}

std::vector<double> OracleOut(const Ss2dShape& shape, const Values& operands) {
  const int d = shape.channels, tokens = shape.height * shape.width;
  const auto fp32 = [&](int i) {
    return std::vector<float>(operands[i].begin(), operands[i].end());
  };
  const reference::Ss2dGroup group = {d,       static_cast<int>(shape.rank),
                                      fp32(1), fp32(2),
                                      fp32(3), fp32(4),
                                      fp32(5), fp32(6),
                                      fp32(7), fp32(8),
                                      fp32(9)};
  std::vector<double> x, z;
  for (int t = 0; t < tokens; ++t) {
    const auto token = operands[0].begin() + t * 2 * d;
    x.insert(x.end(), token, token + d);
    z.insert(z.end(), token + d, token + 2 * d);
  }
  return reference::Ss2dCore(group, shape.height, shape.width, shape.direction,
                             kEpsilon, x, z);
}

TEST(Ss2dCoreInDouble, EqualsTheOracle) {
  for (const Ss2dShape& shape : Shapes()) {
    const Values operands = RandomOperands(shape, 1);
    const auto got = RunDouble(shape, operands, RandomGradient(shape));
    // The oracle exponentiates A_logs and friends in double, too.
    EXPECT_LE(RelativeError(got.out, OracleOut(shape, operands)), 1e-13)
        << Describe(shape);
  }
}

TEST(Ss2dCoreInDouble, GradientsAreThoseOfFiniteDifferences) {
  constexpr double kStep = 5e-4;
  for (Direction direction : kDirections) {
    for (const Ss2dShape& shape :
         {Ss2dShape{3, 4, 5, 2, direction}, Ss2dShape{1, 1, 6, 1, direction},
          Ss2dShape{6, 6, 7, 1, direction}}) {
      Values operands = RandomOperands(shape, 2);
      const std::vector<double> dout = RandomGradient(shape);
      const auto loss = [&] {
        const auto result = RunDouble(shape, operands, dout);
        double sum = 0;
        for (size_t i = 0; i < dout.size(); ++i) sum += dout[i] * result.out[i];
        return sum;
      };
      const Values got = RunDouble(shape, operands, dout).gradients;
      for (size_t i = 0; i < kOperands; ++i) {
        std::vector<double> want;
        for (double& x : operands[i]) {
          const double at = x;
          const auto difference = [&](double step) {
            x = at + step;
            const double above = loss();
            x = at - step;
            const double below = loss();
            x = at;
            return (above - below) / (2 * step);
          };
          // Of fourth order.
          want.push_back((4 * difference(kStep) - difference(2 * kStep)) / 3);
        }
        EXPECT_LE(RelativeError(got[i], want), 1e-7)
            << kNames[i] << ", " << Describe(shape);
      }
    }
  }
}

TEST(Ss2dCoreInDouble, SumsPicturesInTheirOrder) {
  const Ss2dShape shape = {3, 4, 5, 2, Direction::kTopBottom};
  const Values operands = RandomOperands(shape, 3);
  const Ss2dCore<double> core(Isa::kPortable, shape, kEpsilon,
                              TensorsOf<const double>(operands));
  const auto share = [&](int seed) {
    return RandomValues(core.gradient_count(), -1, 1, seed);
  };
  std::vector<double> shares;
  Values sum_of_each;
  for (const size_t size : Sizes(shape)) sum_of_each.emplace_back(size);
  for (int n = 0; n < 3; ++n) {
    const std::vector<double> one = share(n);
    shares.insert(shares.end(), one.begin(), one.end());
    Values its = sum_of_each;
    core.SumGradients(one.data(), 1, TensorsOf<double>(its));
    for (size_t i = 1; i < kOperands; ++i) {
      for (size_t j = 0; j < its[i].size(); ++j) sum_of_each[i][j] += its[i][j];
    }
  }
  Values sums = sum_of_each;
  core.SumGradients(shares.data(), 3, TensorsOf<double>(sums));
  for (size_t i = 1; i < kOperands; ++i) {
    EXPECT_LE(RelativeError(sums[i], sum_of_each[i]), 1e-15) << kNames[i];
  }
}

class Ss2dCoreTest : public ScanTest {};
INSTANTIATE_TEST_SUITE_P(Isa, Ss2dCoreTest,
                         ::testing::Values(Isa::kPortable, Isa::kAvx2,
                                           Isa::kAvx512),
                         IsaTestName);

TEST_P(Ss2dCoreTest, EqualsTheCoreInDouble) {
  for (const Ss2dShape& shape : Shapes()) {
    const Values operands = RandomOperands(shape, 4);
    const std::vector<double> dout = RandomGradient(shape);
    const auto want = RunDouble(shape, operands, dout);
    const auto got = RunIsa(GetParam(), shape, operands, dout, 3);
    EXPECT_LE(RelativeError(got.out, want.out), 2e-6) << Describe(shape);
    for (size_t i = 0; i < kOperands; ++i) {
      // With one channel the norm's output is its bias, and everything before
      // it has no gradient: what cancels is left.
      if (shape.channels == 1 && i != 9) continue;
      EXPECT_LE(RelativeError(got.gradients[i], want.gradients[i]), 1e-5)
          << kNames[i] << ", " << Describe(shape);
    }
  }
}

TEST_P(Ss2dCoreTest, IsTheSameToTheBitWhateverTheStrides) {
  for (Direction direction : kDirections) {
    const Ss2dShape shape = {9, 5, 87, 6, direction};
    const Values operands = RandomOperands(shape, 5);
    const std::vector<double> dout = RandomGradient(shape);
    const auto once = RunIsa(GetParam(), shape, operands, dout, 0);
    const auto again = RunIsa(GetParam(), shape, operands, dout, 7);
    EXPECT_EQ(once.out, again.out);
    EXPECT_EQ(once.gradients, again.gradients);
  }
}

TEST_P(Ss2dCoreTest, FiniteInputsOfAnySizeGiveFiniteGradients) {
  const Ss2dShape shape = {4, 10, 21, 2, Direction::kBottomTop};
  Values operands = RandomOperands(shape, 6);
  for (size_t i = 0; i < operands[0].size(); ++i) {
    const double sizes[] = {0, 1e-30, 1e4, -1e4, 88, -88, 1e-3};
    operands[0][i] = sizes[i % 7];
  }
  const auto got =
      RunIsa(GetParam(), shape, operands, RandomGradient(shape), 0);
  for (const std::vector<double>& gradient : got.gradients) {
    for (double g : gradient) ASSERT_TRUE(std::isfinite(g));
  }
}

}  // namespace
}  // namespace groupmamba::testing
