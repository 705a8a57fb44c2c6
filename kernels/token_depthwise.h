// The 3x3 depthwise convolution over any of the SIMD wrappers:
// kernels/token_kernels.h says what it computes. What becomes of a sum is a
// parameter (Finish), for the convolutions of kernels/ss2d_core.h.
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
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;

  // Walked through one after the other, so that three rows of input stay in the
  // first-level cache: 21 KiB at 56 tokens a row.
  static constexpr int64_t kChunkChannels = 32;

  // Where the tokens of a picture lie; in the order of rows or any other that
  // has constant steps.
  template <class T>
  struct Plane {
    T* data;  // the token at row 0, column 0
    int64_t row_step;
    int64_t column_step;
  };

  struct Call {
    const DepthwiseShape shape;
    const Plane<const Scalar> x;
    const Scalar* const weight;  // [9], weight_stride from tap to tap
    const int64_t weight_stride;
    const Scalar* const bias;
    const Plane<Scalar> y;
  };

  template <Activation kActivation>
  struct Activate {
    template <class Lanes>
    void operator()(Lanes lanes, Scalar* y, Vec sum) const {
      lanes.Store(y, Activated<Simd, kActivation>(sum));
    }
  };

  static void Run(const DepthwiseShape& shape, Activation activation,
                  const BasicConstTokens<Scalar>& x, const Scalar* weight,
                  const Scalar* bias, const BasicTokens<Scalar>& y) {
    const Call call{shape,  {x.data, shape.width * x.stride, x.stride},
                    weight, shape.channels,
                    bias,   {y.data, shape.width * y.stride, y.stride}};
    if (activation == Activation::kSilu) {
      RunWith(call, Activate<Activation::kSilu>{});
    } else {
      RunWith(call, Activate<Activation::kGelu>{});
    }
  }

  // finish(lanes, the output's channels in call.y, their sums), for every token
  // and vector.
  template <class Finish>
  static void RunWith(const Call& call, Finish finish) {
    const int64_t channels = call.shape.channels;
    for (int64_t c = 0; c < channels; c += kChunkChannels) {
      const int64_t end =
          c + kChunkChannels < channels ? c + kChunkChannels : channels;
      for (int64_t row = 0; row < call.shape.rows; ++row) {
        Row(call, row, c, end - c, finish);
      }
    }
  }

  // Seven at a time: the networks' pictures are multiples of seven wide, and
  // seven sums, three weights and an input fit sixteen registers.
  template <class Finish>
  static void Row(const Call& call, int64_t row, int64_t channel,
                  int64_t channels, Finish finish) {
    const int64_t width = call.shape.width;
    int64_t column = 0;
    for (; column + 7 <= width; column += 7) {
      Columns<7>(call, {row, column}, channel, channels, finish);
    }
    for (; column + 3 <= width; column += 3) {
      Columns<3>(call, {row, column}, channel, channels, finish);
    }
    for (; column < width; ++column) {
      Columns<1>(call, {row, column}, channel, channels, finish);
    }
  }

  struct Place {
    int64_t row;
    int64_t column;
  };

  // The outputs from `place` on, kTokens of them.
  template <int kTokens, class Finish>
  static void Columns(const Call& call, const Place& place, int64_t channel,
                      int64_t channels, Finish finish) {
    const DepthwiseShape& shape = call.shape;
    const Scalar* const x = call.x.data + place.row * call.x.row_step +
                            place.column * call.x.column_step + channel;
    Scalar* const y = call.y.data + place.row * call.y.row_step +
                      place.column * call.y.column_step + channel;
    const Neighbours near{.above = place.row > 0 || shape.above,
                          .below = place.row + 1 < shape.rows || shape.below,
                          .left = place.column > 0,
                          .right = place.column + kTokens < shape.width,
                          .stride = call.x.column_step,
                          .row_stride = call.x.row_step,
                          .weight = call.weight + channel,
                          .weight_stride = call.weight_stride};
    const int64_t y_stride = call.y.column_step;
    const Scalar* const bias = call.bias + channel;
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      Vec sum[kTokens];
      Sum<kTokens>(near, lanes, c, x + c, lanes.Load(bias + c), sum);
      for (int t = 0; t < kTokens; ++t) {
        finish(lanes, y + t * y_stride + c, sum[t]);
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
    const Scalar* weight;
    int64_t weight_stride;  // from tap to tap
  };

  template <int kTokens, class Lanes>
  [[gnu::always_inline]] static void Sum(const Neighbours& near, Lanes lanes,
                                         int64_t channel, const Scalar* x,
                                         Vec bias, Vec (&sum)[kTokens]) {
    for (int t = 0; t < kTokens; ++t) sum[t] = bias;
    const Scalar* const tap = near.weight + channel;
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
                                            const Scalar* in, const Scalar* tap,
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
