// The depthwise convolution of the token-wise kernels: every implementation
// against the double-precision oracle.

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "kernels/token_kernels.h"
#include "tests/kernels/token_fixture.h"

namespace groupmamba::testing {
namespace {

using kernels::Activation;
using kernels::DepthwiseShape;
using kernels::Isa;

class TokenDepthwiseTest : public TokenKernelsTest {};
INSTANTIATE_TEST_SUITE_P(Isa, TokenDepthwiseTest,
                         ::testing::Values(Isa::kPortable, Isa::kAvx2,
                                           Isa::kAvx512),
                         IsaTestName);

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

TEST_P(TokenDepthwiseTest, DepthwiseEqualsTheOracle) {
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

TEST_P(TokenDepthwiseTest, DepthwiseInBandsIsTheSameToTheBit) {
  for (const Picture& of : Pictures()) {
    const Values whole =
        RunDepthwise(GetParam(), Activation::kGelu, of, of.height, 0);
    for (int64_t band : {1, 2, 3}) {
      EXPECT_EQ(RunDepthwise(GetParam(), Activation::kGelu, of, band, 2),
                whole);
    }
  }
}

TEST_P(TokenDepthwiseTest, AChannelOfADepthwiseIsTheSameToTheBitAlone) {
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
TEST_P(TokenDepthwiseTest, ThePicturesBorderIsZero) {
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

}  // namespace
}  // namespace groupmamba::testing
