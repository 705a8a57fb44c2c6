// What a network does token by token, apart from its matrix products and its
// selective scans: normalisation, 3x3 depthwise convolution, activations,
// channel sums, and sums and products element by element. Plain pointers,
// shapes and strides; everything is fp32.
//
// `isa` must be in SupportedIsas(). With one, an element's value is the same to
// the bit whatever strides, other tokens and other channels surround it, and
// however a picture is cut into calls; a normalised value depends on all
// channels of its token. Different instruction sets round differently.
//
// Speed: where `stride` is a multiple of 512 floats or so, the tokens of a 3x3
// neighbourhood compete for the same few cache lines; 16 floats more avoid
// that.
//
// Nothing beyond the named channels of the named tokens is read or written, and
// nothing need be aligned. Outputs may not overlap inputs, except that where
// "in place" is said an output may be exactly one of the inputs of its shape.
// NaN gives NaN; infinities need not stay visible.
//
// Thread-safety: the functions keep no state, allocate nothing and start no
// threads; calls on different outputs may run at once.

#ifndef GROUPMAMBA_KERNELS_TOKEN_KERNELS_H_
#define GROUPMAMBA_KERNELS_TOKEN_KERNELS_H_

#include <cstdint>

#include "kernels/isa.h"
#include "kernels/token_types.h"

namespace groupmamba::kernels {

// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, with the mean and
// the population variance of each token's channels (Ba, Kiros and Hinton,
// arXiv:1607.06450). `tokens` may be 0, here and below; `channels` is at
// least 1. In place.
void LayerNorm(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
               const NormWeights& norm, Tokens y);

// LayerNorm of x * multiplier * scale; scale is [channel]. In place.
void ModulatedLayerNorm(Isa isa, int64_t tokens, int64_t channels,
                        ConstTokens x, ConstTokens multiplier,
                        const float* scale, const NormWeights& norm, Tokens y);

// LayerNorm(x) * silu(gate). In place.
void GatedLayerNorm(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
                    ConstTokens gate, const NormWeights& norm, Tokens y);

// sums[c] = the sum of x[t][c] over the tokens t, in ascending order.
void ColumnSums(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
                float* sums);

// y = activation(w * x + bias): a 3x3 convolution of each channel alone, stride
// 1, zeros around the picture. x and y begin at the first token of the rows;
// the row above them is at x.data - width * x.stride, the row below follows
// them. `weight` is [9][channel], tap row * 3 + column; `bias` is [channel].
// Not in place.
void DepthwiseConv(Isa isa, const DepthwiseShape& shape, Activation activation,
                   ConstTokens x, const float* weight, const float* bias,
                   Tokens y);

// The gradients by x, by the taps and by the bias of DepthwiseConv over a whole
// picture (shape.above and shape.below are false), given dy. The convolution's
// sums are computed again; gradients are summed over tokens in ascending order,
// row by row.
void DepthwiseConvBackward(Isa isa, const DepthwiseShape& shape,
                           Activation activation,
                           const DepthwiseGradients& gradients);

// y = activation(x) of n adjacent floats. In place.
//
// Errors are below 5e-7 max(1, |x|); kernels/simd_math.h says more. From x = -6
// down kGelu gives the truth of -6, -6e-9.
void Activate(Isa isa, Activation activation, int64_t n, const float* x,
              float* y);

// y = x * scale; scale is [channel]. In place.
void ScaleChannels(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
                   const float* scale, Tokens y);

// y = x + z. In place, over either.
void Add(Isa isa, int64_t tokens, int64_t channels, ConstTokens x,
         ConstTokens z, Tokens y);

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_KERNELS_H_
