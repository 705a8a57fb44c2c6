// Chooses the implementation of the token-wise kernels.
#include "kernels/token_kernels.h"

#include <cassert>

#include "absl/algorithm/container.h"
#include "kernels/token_variant.h"

namespace groupmamba::kernels {
namespace {

const TokenVariant& VariantOf(Isa isa) {
  assert(absl::c_linear_search(SupportedIsas(), isa));
  switch (isa) {
#ifdef GROUPMAMBA_X86_KERNELS
    case Isa::kAvx2:
      return kTokenAvx2;
    case Isa::kAvx512:
    case Isa::kAvx512Bf16:
      return kTokenAvx512;
#endif
    default:
      return kTokenPortable;
  }
}

}  // namespace

void LayerNorm(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
               const NormWeights& norm, Tokens y) {
  VariantOf(isa).layer_norm(tokens, channels, x, norm, y);
}

void ModulatedLayerNorm(Isa isa, int64_t tokens, int64_t channels,
                        ConstTokens x, ConstTokens multiplier,
                        const float* scale, const NormWeights& norm, Tokens y) {
  VariantOf(isa).modulated_layer_norm(tokens, channels, x, multiplier, scale,
                                      norm, y);
}

void GatedLayerNorm(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
                    ConstTokens gate, const NormWeights& norm, Tokens y) {
  VariantOf(isa).gated_layer_norm(tokens, channels, x, gate, norm, y);
}

void ColumnSums(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
                float* sums) {
  VariantOf(isa).column_sums(tokens, channels, x, sums);
}

void DepthwiseConv(Isa isa, const DepthwiseShape& shape, Activation activation,
                   ConstTokens x, const float* weight, const float* bias,
                   Tokens y) {
  VariantOf(isa).depthwise_conv(shape, activation, x, weight, bias, y);
}

void DepthwiseConvBackward(Isa isa, const DepthwiseShape& shape,
                           Activation activation,
                           const DepthwiseGradients& gradients) {
  VariantOf(isa).depthwise_conv_backward(shape, activation, gradients);
}

void Activate(Isa isa, Activation activation, int64_t n, const float* x,
              float* y) {
  VariantOf(isa).activate(activation, n, x, y);
}

void ScaleChannels(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
                   const float* scale, Tokens y) {
  VariantOf(isa).scale_channels(tokens, channels, x, scale, y);
}

void Add(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
         ConstTokens z, Tokens y) {
  VariantOf(isa).add(tokens, channels, x, z, y);
}

}  // namespace groupmamba::kernels
