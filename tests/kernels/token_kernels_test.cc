// The token-wise kernels: every implementation against the double-precision
// oracle.
#include "kernels/token_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "tests/kernels/guarded_tensor.h"
#include "tests/kernels/scan_case.h"
#include "tests/reference/token_oracle.h"

namespace groupmamba::testing {
namespace {

using kernels::Activation;
using kernels::ConstTokens;
using kernels::DepthwiseShape;
using kernels::Isa;
using kernels::Tokens;
using reference::Values;

class TokenKernelsTest : public ScanTest {};
INSTANTIATE_TEST_SUITE_P(Isa, TokenKernelsTest,
                         ::testing::Values(Isa::kPortable, Isa::kAvx2,
                                           Isa::kAvx512),
                         IsaTestName);

constexpr int kChannels[] = {1,  2,  3,  5,   8,   15,  16,  17,  23,  32,
                             33, 87, 88, 112, 128, 256, 348, 448, 1392};

// A guarded tensor with these values, `gap` floats between tokens.
class Tensor {
 public:
  Tensor(const Values& values, int64_t channels, int gap = 0)
      : tensor_(1, static_cast<int64_t>(values.size()) / channels, channels,
                gap),
        stride_(channels + gap) {
    tensor_.Fill(values);
  }

  Tokens view() const { return {tensor_.data(), stride_}; }
  const float* data() const { return tensor_.data(); }
  Values Get() const {
    EXPECT_TRUE(tensor_.GapsAreUntouched());
    return tensor_.ToDense();
  }

 private:
  GuardedTensor tensor_;
  int64_t stride_;
};

Values NaNs(size_t count) {
  return Values(count, std::numeric_limits<double>::quiet_NaN());
}

// The largest error of any element, in units of max(1, |want|).
double WorstError(const Values& got, const Values& want) {
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double error =
        std::abs(got[i] - want[i]) / std::max(1.0, std::abs(want[i]));
    if (!(error <= worst)) worst = error;
    if (std::isnan(error)) break;
  }
  return worst;
}

// Some tokens, and what a normalisation of them needs.
struct NormCase {
  NormCase(int64_t channels, int64_t tokens)
      : channels(channels),
        tokens(tokens),
        x(RandomValues(channels * tokens, -1, 3, 1)),
        other(RandomValues(channels * tokens, -6, 6, 2)),
        scale(RandomValues(channels, 0.5, 2, 3)),
        weight(RandomValues(channels, -1, 2, 4)),
        bias(RandomValues(channels, -1, 1, 5)) {}

  Values Plain(const Values& of) const {
    return reference::LayerNorm(channels, of, weight, bias, kEpsilon);
  }
  Values Modulated() const {
    Values product = x;
    for (size_t i = 0; i < x.size(); ++i) {
      product[i] *= other[i] * scale[i % channels];
    }
    return Plain(product);
  }
  Values Gated() const {
    Values y = Plain(x);
    for (size_t i = 0; i < x.size(); ++i) y[i] *= reference::Silu(other[i]);
    return y;
  }

  static constexpr float kEpsilon = 1e-6f;
  int64_t channels, tokens;
  Values x, other, scale, weight, bias;
};

enum class Norm { kPlain, kModulated, kGated };

Values RunNorm(Isa isa, Norm norm, const NormCase& of, int gap, bool in_place) {
  const Tensor x(of.x, of.channels, gap), other(of.other, of.channels, gap);
  const Tensor scale(of.scale, of.channels), weight(of.weight, of.channels);
  const Tensor bias(of.bias, of.channels);
  const Tensor apart(NaNs(of.x.size()), of.channels, gap);
  const Tensor& y = in_place ? x : apart;
  const kernels::NormWeights weights{weight.data(), bias.data(),
                                     NormCase::kEpsilon};
  switch (norm) {
    case Norm::kPlain:
      LayerNorm(isa, of.tokens, of.channels, x.view(), weights, y.view());
      break;
    case Norm::kModulated:
      ModulatedLayerNorm(isa, of.tokens, of.channels, x.view(), other.view(),
                         scale.data(), weights, y.view());
      break;
    case Norm::kGated:
      GatedLayerNorm(isa, of.tokens, of.channels, x.view(), other.view(),
                     weights, y.view());
      break;
  }
  return y.Get();
}

TEST_P(TokenKernelsTest, NormsEqualTheOracle) {
  for (int channels : kChannels) {
    // With one channel the variance is 0; with two or three it may be near 0,
    // where rounding of the inputs shows.
    if (channels == 2 || channels == 3) continue;
    SCOPED_TRACE(channels);
    const NormCase of(channels, 4);
    EXPECT_LE(WorstError(RunNorm(GetParam(), Norm::kPlain, of, 3, false),
                         of.Plain(of.x)),
              2e-6);
    EXPECT_LE(WorstError(RunNorm(GetParam(), Norm::kModulated, of, 3, false),
                         of.Modulated()),
              channels == 1 ? 1e-3 : 2e-6);
    EXPECT_LE(
        WorstError(RunNorm(GetParam(), Norm::kGated, of, 3, false), of.Gated()),
        5e-6);
  }
}

TEST_P(TokenKernelsTest, NormsInPlaceAndAnyStrideAreTheSameToTheBit) {
  for (int channels : kChannels) {
    SCOPED_TRACE(channels);
    const NormCase of(channels, 3);
    for (Norm norm : {Norm::kPlain, Norm::kModulated, Norm::kGated}) {
      const Values apart = RunNorm(GetParam(), norm, of, 0, false);
      EXPECT_EQ(RunNorm(GetParam(), norm, of, 5, true), apart);
    }
  }
}

TEST_P(TokenKernelsTest, ALayerNormIsAccurateFarFromZero) {
  NormCase of(348, 2);
  for (double& x : of.x) x = static_cast<float>(x + 1000);
  EXPECT_LE(WorstError(RunNorm(GetParam(), Norm::kPlain, of, 0, false),
                       of.Plain(of.x)),
            5e-4);
}

TEST_P(TokenKernelsTest, ColumnSumsEqualTheOracle) {
  for (int channels : kChannels) {
    SCOPED_TRACE(channels);
    const Values x = RandomValues(49 * channels, -1, 1, 6);
    const Tensor tokens(x, channels, 2), sums(NaNs(channels), channels);
    ColumnSums(GetParam(), 49, channels, tokens.view(), sums.view().data);
    EXPECT_LE(WorstError(sums.Get(), reference::ColumnSums(channels, x)), 5e-6);
  }
}

TEST_P(TokenKernelsTest, ColumnSumsAddTokensInTheirOrder) {
  for (int channels : {1, 19, 70}) {
    const Values x = RandomValues(50 * channels, -1, 1, 7);
    Values want(channels);
    for (size_t i = 0; i < x.size(); ++i) {
      double& sum = want[i % channels];
      sum = static_cast<float>(sum) + static_cast<float>(x[i]);
      sum = static_cast<float>(sum);
    }
    const Tensor tokens(x, channels), sums(NaNs(channels), channels);
    ColumnSums(GetParam(), 50, channels, tokens.view(), sums.view().data);
    EXPECT_EQ(sums.Get(), want);
  }
}

TEST_P(TokenKernelsTest, ScaleAndAddAreOneRoundingPerElement) {
  for (int channels : kChannels) {
    SCOPED_TRACE(channels);
    const Values x = RandomValues(3 * channels, -1, 1, 8);
    const Values z = RandomValues(3 * channels, -1, 1, 9);
    Values product(x.size()), sum(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const auto a = static_cast<float>(x[i]);
      product[i] = a * static_cast<float>(z[i % channels]);
      sum[i] = a + static_cast<float>(z[i]);
    }
    const Tensor from(x, channels, 1), other(z, channels, 4);
    const Tensor to(NaNs(x.size()), channels, 2);
    ScaleChannels(GetParam(), 3, channels, from.view(), other.data(),
                  to.view());
    EXPECT_EQ(to.Get(), product);
    Add(GetParam(), 3, channels, from.view(), other.view(), to.view());
    EXPECT_EQ(to.Get(), sum);
    Add(GetParam(), 3, channels, from.view(), other.view(), from.view());
    EXPECT_EQ(from.Get(), sum);
  }
}

struct Picture {
  Picture(int64_t height, int64_t width, int64_t channels)
      : height(height),
        width(width),
        channels(channels),
        x(RandomValues(height * width * channels, -2, 2, 10)),
        weight(RandomValues(9 * channels, -1, 1, 11)),
        bias(RandomValues(channels, -1, 1, 12)) {}

  int64_t height, width, channels;
  Values x, weight, bias;
};

// Computed `band` rows a call.
Values RunDepthwise(Isa isa, Activation activation, const Picture& of,
                    int64_t band, int gap) {
  const Tensor x(of.x, of.channels, gap),
      y(NaNs(of.x.size()), of.channels, gap);
  const Tensor weight(of.weight, of.channels), bias(of.bias, of.channels);
  for (int64_t row = 0; row < of.height; row += band) {
    const DepthwiseShape shape{
        .rows = std::min(band, of.height - row),
        .width = of.width,
        .channels = of.channels,
        .above = row > 0,
        .below = row + band < of.height,
    };
    ConstTokens from = x.view();
    Tokens to = y.view();
    from.data += row * of.width * from.stride;
    to.data += row * of.width * to.stride;
    DepthwiseConv(isa, shape, activation, from, weight.data(), bias.data(), to);
  }
  return y.Get();
}

std::vector<Picture> Pictures() {
  std::vector<Picture> pictures;
  for (int channels : kChannels) pictures.emplace_back(3, 4, channels);
  for (auto [height, width] : {std::pair{1, 1},
                               {1, 2},
                               {2, 1},
                               {1, 9},
                               {9, 1},
                               {2, 3},
                               {3, 7},
                               {7, 7},
                               {2, 11},
                               {5, 14},
                               {4, 17}}) {
    pictures.emplace_back(height, width, 19);
  }
  return pictures;
}

TEST_P(TokenKernelsTest, DepthwiseEqualsTheOracle) {
  for (const Picture& of : Pictures()) {
    SCOPED_TRACE(::testing::Message()
                 << of.height << "x" << of.width << "x" << of.channels);
    const Values sums = reference::DepthwiseConv(
        of.height, of.width, of.channels, of.x, of.weight, of.bias);
    Values silu = sums, gelu = sums;
    absl::c_transform(sums, silu.begin(), reference::Silu);
    absl::c_transform(sums, gelu.begin(), reference::Gelu);
    EXPECT_LE(WorstError(
                  RunDepthwise(GetParam(), Activation::kSilu, of, of.height, 3),
                  silu),
              2e-6);
    EXPECT_LE(WorstError(
                  RunDepthwise(GetParam(), Activation::kGelu, of, of.height, 3),
                  gelu),
              2e-6);
  }
}

TEST_P(TokenKernelsTest, DepthwiseInBandsIsTheSameToTheBit) {
  for (const Picture& of : Pictures()) {
    const Values whole =
        RunDepthwise(GetParam(), Activation::kGelu, of, of.height, 0);
    for (int64_t band : {1, 2, 3}) {
      EXPECT_EQ(RunDepthwise(GetParam(), Activation::kGelu, of, band, 2),
                whole);
    }
  }
}

TEST_P(TokenKernelsTest, AChannelOfADepthwiseIsTheSameToTheBitAlone) {
  const Picture all(3, 10, 45);
  const Values whole = RunDepthwise(GetParam(), Activation::kSilu, all, 3, 0);
  const auto column = [](const Values& of, int64_t channel) {
    Values values;
    for (size_t i = channel; i < of.size(); i += 45) values.push_back(of[i]);
    return values;
  };
  for (int64_t channel = 0; channel < 45; ++channel) {
    Picture alone(3, 10, 1);
    alone.x = column(all.x, channel);
    alone.weight = column(all.weight, channel);
    alone.bias = column(all.bias, channel);
    EXPECT_EQ(RunDepthwise(GetParam(), Activation::kSilu, alone, 3, 0),
              column(whole, channel));
  }
}

// The border is zero whatever lies in memory there: an element of a picture's
// edge is that of a wider picture with zeros around.
TEST_P(TokenKernelsTest, ThePicturesBorderIsZero) {
  const Picture inner(4, 8, 20);
  Picture outer(6, 10, 20);
  absl::c_fill(outer.x, 0);
  for (int64_t row = 0; row < 4; ++row) {
    std::copy_n(inner.x.begin() + row * 160, 160,
                outer.x.begin() + (row + 1) * 200 + 20);
  }
  const Values want = RunDepthwise(GetParam(), Activation::kGelu, outer, 6, 0);
  const Values got = RunDepthwise(GetParam(), Activation::kGelu, inner, 4, 0);
  for (int64_t i = 0; i < 640; ++i) {
    ASSERT_EQ(got[i], want[(i / 160 + 1) * 200 + 20 + i % 160]);
  }
}

Values Activated(Isa isa, Activation activation, const Values& x) {
  const auto n = static_cast<int64_t>(x.size());
  const Tensor from(x, n), to(NaNs(x.size()), n);
  Activate(isa, activation, n, from.data(), to.view().data);
  return to.Get();
}

Values Range(double low, double high, int count) {
  Values values(count);
  for (int i = 0; i < count; ++i) {
    values[i] = static_cast<float>(low + (high - low) * i / (count - 1));
  }
  return values;
}

// The largest error relative to the truth between `low` and `high`.
double WorstRelative(Isa isa, Activation activation, double low, double high) {
  const Values x = Range(low, high, 50021);
  const Values y = Activated(isa, activation, x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = activation == Activation::kSilu ? reference::Silu(x[i])
                                                        : reference::Gelu(x[i]);
    worst = std::max(worst, std::abs(y[i] / want - 1));
  }
  return worst;
}

TEST_P(TokenKernelsTest, GeluIsAccurate) {
  const Values x = Range(-20, 20, 400003);
  const Values y = Activated(GetParam(), Activation::kGelu, x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, std::abs(y[i] - reference::Gelu(x[i])) /
                                std::max(1.0, std::abs(x[i])));
  }
  RecordProperty("worst", std::to_string(worst));
  EXPECT_LE(worst, 2e-7);
  EXPECT_LE(WorstRelative(GetParam(), Activation::kGelu, -3, -1e-6), 3e-6);
  EXPECT_LE(WorstRelative(GetParam(), Activation::kGelu, -4, -3), 2e-5);
  EXPECT_LE(WorstRelative(GetParam(), Activation::kGelu, 1e-6, 20), 1e-6);
}

TEST_P(TokenKernelsTest, SiluIsAccurate) {
  EXPECT_LE(WorstRelative(GetParam(), Activation::kSilu, -80, -1e-6), 5e-7);
  EXPECT_LE(WorstRelative(GetParam(), Activation::kSilu, 1e-6, 80), 5e-7);
}

TEST_P(TokenKernelsTest, ActivationsAreFiniteForAnyFiniteInput) {
  const Values x = {0,  -0.0,  1e-45, -1e-45, 87,   -87,   89,   -89,
                    -6, -6.01, 1e4,   -1e4,   1e30, -1e30, 3e38, -3e38};
  for (Activation activation : {Activation::kSilu, Activation::kGelu}) {
    const Values y = Activated(GetParam(), activation, x);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_TRUE(std::isfinite(y[i])) << x[i];
      if (std::abs(x[i]) < 80) continue;
      EXPECT_LE(std::abs(y[i] - std::max(x[i], 0.0)),
                2e-8 * std::max(1.0, std::abs(x[i])))
          << x[i];
    }
  }
}

TEST_P(TokenKernelsTest, NotANumberStaysVisible) {
  for (Activation activation : {Activation::kSilu, Activation::kGelu}) {
    EXPECT_TRUE(std::isnan(Activated(GetParam(), activation, NaNs(1))[0]));
  }
}

TEST_P(TokenKernelsTest, AnElementIsActivatedTheSameToTheBitInEveryPlace) {
  const Values x = RandomValues(67, -7, 7, 13);
  for (Activation activation : {Activation::kSilu, Activation::kGelu}) {
    const Values together = Activated(GetParam(), activation, x);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(Activated(GetParam(), activation, {x[i]})[0], together[i]);
    }
    const Tensor in_place(x, 67);
    Activate(GetParam(), activation, 67, in_place.data(), in_place.view().data);
    EXPECT_EQ(in_place.Get(), together);
  }
}

TEST_P(TokenKernelsTest, NoTokensAreNothingToDo) {
  const Isa isa = GetParam();
  LayerNorm(isa, 0, 8, {}, {}, {});
  Add(isa, 0, 8, {}, {}, {});
  ScaleChannels(isa, 0, 8, {}, nullptr, {});
  Activate(isa, Activation::kGelu, 0, nullptr, nullptr);
  const Tensor sums(NaNs(8), 8);
  ColumnSums(isa, 0, 8, {}, sums.view().data);
  EXPECT_EQ(sums.Get(), Values(8));
}

}  // namespace
}  // namespace groupmamba::testing
