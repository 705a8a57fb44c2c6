// The tensors, weights and shapes of the token-wise kernels
// (kernels/token_kernels.h), apart from the functions so that the files
// compiled for one instruction set see no library code: kernels/scan_types.h
// says why.

#ifndef GROUPMAMBA_KERNELS_TOKEN_TYPES_H_
#define GROUPMAMBA_KERNELS_TOKEN_TYPES_H_

#include <cstdint>

namespace groupmamba::kernels {

// A tensor [token, channel] whose channels are adjacent; `stride` elements lie
// between one token's first channel and the next one's.
template <class Scalar>
struct BasicConstTokens {
  const Scalar* data = nullptr;
  int64_t stride = 0;
};
template <class Scalar>
struct BasicTokens {
  // What may be written may be read. Always inline, so that no copy compiled
  // for one instruction set is left for the linker to choose.
  // NOLINTNEXTLINE(google-explicit-constructor): implicit, as to const.
  [[gnu::always_inline]] operator BasicConstTokens<Scalar>() const {
    return {data, stride};
  }

  Scalar* data = nullptr;
  int64_t stride = 0;
};
using ConstTokens = BasicConstTokens<float>;
using Tokens = BasicTokens<float>;

// Of a layer normalisation.
template <class Scalar>
struct BasicNormWeights {
  const Scalar* weight = nullptr;  // [channel]
  const Scalar* bias = nullptr;    // [channel]
  Scalar epsilon = 0;              // added to the variance; above 0
};
using NormWeights = BasicNormWeights<float>;

enum class Activation {
  kSilu,  // x / (1 + e^-x)
  kGelu,  // x (1 + erf(x / sqrt 2)) / 2, the exact one
};

// Some adjacent rows of a picture, `width` tokens each. Sizes are at least 1.
struct DepthwiseShape {
  int64_t rows = 0;
  int64_t width = 0;
  int64_t channels = 0;
  // Whether the row before the first, or after the last, lies in the same
  // buffer and takes part; if not, the picture ends there and zeros do.
  bool above = false;
  bool below = false;
};

// What the gradient of a picture's depthwise convolution is made of, and where
// it goes: everything is overwritten.
struct DepthwiseGradients {
  ConstTokens x;
  const float* weight = nullptr;  // [9][channel]
  const float* bias = nullptr;    // [channel]
  ConstTokens dy;
  Tokens dx;
  float* dw = nullptr;       // [10][channel]: by the taps and by the bias
  float* scratch = nullptr;  // [10 + tokens][channel]
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_TYPES_H_
