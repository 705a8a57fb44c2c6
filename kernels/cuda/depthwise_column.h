// A column of a 3x3 depthwise convolution, over a thread context: each row of
// the input is loaded once and added to the three rows of the output that see
// it. The sums run in one order, row by row, left to right, however the picture
// is cut.

#ifndef GROUPMAMBA_KERNELS_CUDA_DEPTHWISE_COLUMN_H_
#define GROUPMAMBA_KERNELS_CUDA_DEPTHWISE_COLUMN_H_

#include "kernels/cuda/context.h"

namespace groupmamba::cuda {

// A picture's channels from some channel on, and their parameters.
template <class T>
struct DepthwiseSource {
  template <int kVector, class Ctx>
  GM_DEVICE void Load(const Ctx& ctx, int row, int column,
                      float* values) const {
    LoadValues<kVector>(ctx, x + (int64_t{row} * width + column) * stride,
                        values);
  }
  template <int kVector, class Ctx>
  GM_DEVICE void LoadBias(const Ctx& ctx, float* values) const {
    LoadValues<kVector>(ctx, bias, values);
  }

  const T* x;  // [row][column], `stride` elements apart
  int64_t stride;
  int height;
  int width;
  const float* weight;  // [tap], `weight_stride` floats apart
  const float* bias;
  int weight_stride;
};

// Rows [from, end) of column `column`, kVector channels; hands each to
// sink.Take(row, values). Source: a DepthwiseSource, or what looks like one.
template <int kVector, class Ctx, class Source, class Sink>
GM_DEVICE void ConvolveColumn(const Ctx& ctx, const Source& source, int column,
                              int from, int end, const Sink& sink) {
  float weight[9][kVector];
  float bias[kVector];
  GM_UNROLL
  for (int tap = 0; tap < 9; ++tap) {
    LoadValues<kVector>(ctx, source.weight + tap * source.weight_stride,
                        weight[tap]);
  }
  source.template LoadBias<kVector>(ctx, bias);
  float above[kVector], here[kVector], below[kVector];
  GM_UNROLL
  for (int i = 0; i < kVector; ++i) above[i] = here[i] = bias[i];
  for (int row = from - 1; row <= end; ++row) {
    GM_UNROLL
    for (int i = 0; i < kVector; ++i) below[i] = bias[i];
    if (row >= 0 && row < source.height) {
      GM_UNROLL
      for (int dx = 0; dx < 3; ++dx) {
        const int x = column + dx - 1;
        if (x < 0 || x >= source.width) continue;
        float value[kVector];
        source.template Load<kVector>(ctx, row, x, value);
        GM_UNROLL
        for (int i = 0; i < kVector; ++i) {
          above[i] += value[i] * weight[6 + dx][i];
          here[i] += value[i] * weight[3 + dx][i];
          below[i] += value[i] * weight[dx][i];
        }
      }
    }
    if (row > from) sink.Take(row - 1, above);
    GM_UNROLL
    for (int i = 0; i < kVector; ++i) {
      above[i] = here[i];
      here[i] = below[i];
    }
  }
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_DEPTHWISE_COLUMN_H_
