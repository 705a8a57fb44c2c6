// The 3x3 depthwise convolution over any of the SIMD wrappers:
// kernels/token_kernels.h says what it computes.
//
// Each load of an input serves up to three outputs: kTokens adjacent outputs of
// a row are summed at once in registers, one input column after the other, and
// a row's three weights stay in registers for all of them. Taps that lie
// outside the picture are left out; those that remain are added in ascending
// order wherever the element stands, so that no cut of the picture shows.

#ifndef GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_H_
#define GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_H_

#include <cstdint>

#include "kernels/channel_blocks.h"
#include "kernels/token_activation.h"
#include "kernels/token_variant.h"

namespace groupmamba::kernels {

template <class Simd>
struct TokenDepthwise {
  using Vec = typename Simd::Vec;

  // Walked through one after the other, so that three rows of input stay in the
  // first-level cache: 21 KiB at 56 tokens a row.
  static constexpr int64_t kChunkChannels = 32;

  struct Call {
    const DepthwiseShape shape;
    const ConstTokens x;
    const float* const weight;
    const float* const bias;
    const Tokens y;
  };

  static void Run(const DepthwiseShape& shape, Activation activation,
                  const ConstTokens& x, const float* weight, const float* bias,
                  const Tokens& y) {
    const Call call{shape, x, weight, bias, y};
    if (activation == Activation::kSilu) {
      RunWith<Activation::kSilu>(call);
    } else {
      RunWith<Activation::kGelu>(call);
    }
  }

  template <Activation kActivation>
  static void RunWith(const Call& call) {
    const int64_t channels = call.shape.channels;
    for (int64_t c = 0; c < channels; c += kChunkChannels) {
      const int64_t end =
          c + kChunkChannels < channels ? c + kChunkChannels : channels;
      for (int64_t row = 0; row < call.shape.rows; ++row) {
        Row<kActivation>(call, row, c, end - c);
      }
    }
  }

  // Seven at a time: the networks' pictures are multiples of seven wide, and
  // seven sums, three weights and an input fit sixteen registers.
  template <Activation kActivation>
  static void Row(const Call& call, int64_t row, int64_t channel,
                  int64_t channels) {
    const int64_t width = call.shape.width;
    int64_t column = 0;
    for (; column + 7 <= width; column += 7) {
      Columns<kActivation, 7>(call, {row, column}, channel, channels);
    }
    for (; column + 3 <= width; column += 3) {
      Columns<kActivation, 3>(call, {row, column}, channel, channels);
    }
    for (; column < width; ++column) {
      Columns<kActivation, 1>(call, {row, column}, channel, channels);
    }
  }

  struct Place {
    int64_t row;
    int64_t column;
  };

  // The outputs from `place` on, kTokens of them.
  template <Activation kActivation, int kTokens>
  static void Columns(const Call& call, const Place& place, int64_t channel,
                      int64_t channels) {
    const DepthwiseShape& shape = call.shape;
    const int64_t token = place.row * shape.width + place.column;
    const float* const x = call.x.data + token * call.x.stride + channel;
    float* const y = call.y.data + token * call.y.stride + channel;
    const Neighbours near{.above = place.row > 0 || shape.above,
                          .below = place.row + 1 < shape.rows || shape.below,
                          .left = place.column > 0,
                          .right = place.column + kTokens < shape.width,
                          .stride = call.x.stride,
                          .row_stride = shape.width * call.x.stride,
                          .weight = call.weight + channel,
                          .weight_stride = shape.channels};
    const int64_t y_stride = call.y.stride;
    const float* const bias = call.bias + channel;
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      Vec sum[kTokens];
      Sum<kTokens>(near, lanes, c, x + c, lanes.Load(bias + c), sum);
      for (int t = 0; t < kTokens; ++t) {
        lanes.Store(y + t * y_stride + c, Activated<Simd, kActivation>(sum[t]));
      }
    });
  }

  // What lies around some adjacent tokens of a row.
  struct Neighbours {
    bool above;  // whether there is a row above
    bool below;
    bool left;  // whether a token stands before the first one
    bool right;
    int64_t stride;
    int64_t row_stride;
    const float* weight;
    int64_t weight_stride;  // from tap to tap
  };

  template <int kTokens, class Lanes>
  [[gnu::always_inline]] static void Sum(const Neighbours& near, Lanes lanes,
                                         int64_t channel, const float* x,
                                         Vec bias, Vec (&sum)[kTokens]) {
    for (int t = 0; t < kTokens; ++t) sum[t] = bias;
    const float* const tap = near.weight + channel;
    const int64_t next_row = 3 * near.weight_stride;
    if (near.above) AddRow<kTokens>(near, lanes, x - near.row_stride, tap, sum);
    AddRow<kTokens>(near, lanes, x, tap + next_row, sum);
    if (near.below) {
      AddRow<kTokens>(near, lanes, x + near.row_stride, tap + 2 * next_row,
                      sum);
    }
  }

  // The three taps of one row.
  template <int kTokens, class Lanes>
  [[gnu::always_inline]] static void AddRow(const Neighbours& near, Lanes lanes,
                                            const float* in, const float* tap,
                                            Vec (&sum)[kTokens]) {
    const int64_t stride = near.stride;
    const Vec left = lanes.Load(tap);
    const Vec middle = lanes.Load(tap + near.weight_stride);
    const Vec right = lanes.Load(tap + 2 * near.weight_stride);
    if (near.left) {
      sum[0] = Simd::MulAdd(lanes.Load(in - stride), left, sum[0]);
    }
    for (int t = 0; t < kTokens; ++t) {
      const Vec here = lanes.Load(in + t * stride);
      if (t > 0) sum[t - 1] = Simd::MulAdd(here, right, sum[t - 1]);
      sum[t] = Simd::MulAdd(here, middle, sum[t]);
      if (t + 1 < kTokens) sum[t + 1] = Simd::MulAdd(here, left, sum[t + 1]);
    }
    if (near.right) {
      sum[kTokens - 1] = Simd::MulAdd(lanes.Load(in + kTokens * stride), right,
                                      sum[kTokens - 1]);
    }
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_H_
