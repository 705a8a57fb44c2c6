// What an implementation of the token-wise kernels gives to its dispatcher
// (kernels/token_kernels.cc); internal to kernels/.
//
// No library header here, and nothing inline: kernels/scan_types.h says why.

#ifndef GROUPMAMBA_KERNELS_TOKEN_VARIANT_H_
#define GROUPMAMBA_KERNELS_TOKEN_VARIANT_H_

#include <cstdint>

#include "kernels/token_types.h"

namespace groupmamba::kernels {

// The functions of kernels/token_kernels.h, in its order.
struct TokenVariant {
  void (*layer_norm)(int64_t tokens, int64_t channels, const ConstTokens& x,
                     const NormWeights& norm, const Tokens& y);
  void (*modulated_layer_norm)(int64_t tokens, int64_t channels,
                               const ConstTokens& x,
                               const ConstTokens& multiplier,
                               const float* scale, const NormWeights& norm,
                               const Tokens& y);
  void (*gated_layer_norm)(int64_t tokens, int64_t channels,
                           const ConstTokens& x, const ConstTokens& gate,
                           const NormWeights& norm, const Tokens& y);
  void (*column_sums)(int64_t tokens, int64_t channels, const ConstTokens& x,
                      float* sums);
  void (*depthwise_conv)(const DepthwiseShape& shape, Activation activation,
                         const ConstTokens& x, const float* weight,
                         const float* bias, const Tokens& y);
  void (*depthwise_conv_backward)(const DepthwiseShape& shape,
                                  Activation activation,
                                  const DepthwiseGradients& gradients);
  void (*activate)(Activation activation, int64_t n, const float* x, float* y);
  void (*scale_channels)(int64_t tokens, int64_t channels, const ConstTokens& x,
                         const float* scale, const Tokens& y);
  void (*add)(int64_t tokens, int64_t channels, const ConstTokens& x,
              const ConstTokens& z, const Tokens& y);
};

extern const TokenVariant kTokenPortable;
extern const TokenVariant kTokenAvx2;
extern const TokenVariant kTokenAvx512;

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_VARIANT_H_
