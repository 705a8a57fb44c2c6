// What the forward and the backward SS2D core share, over any of the SIMD
// wrappers.
//
// The convolution leaves u in the order of the scan's steps, one row a step, so
// that everything up to the norm knows nothing of directions; the norm and the
// convolution's own gradient find their tokens by constant strides.

#ifndef GROUPMAMBA_KERNELS_SS2D_COMMON_H_
#define GROUPMAMBA_KERNELS_SS2D_COMMON_H_

#include <cstdint>

#include "kernels/ss2d_products.h"
#include "kernels/ss2d_variant.h"
#include "kernels/token_depthwise.h"
#include "kernels/token_norm.h"

namespace groupmamba::kernels {

template <class Simd>
struct Ss2dCommon {
  using Scalar = typename Simd::Scalar;
  using Job = Ss2dJob<Scalar>;
  using Depthwise = TokenDepthwise<Simd>;
  using Products = Ss2dProducts<Simd>;
  using Inputs = BasicScanInputs<Scalar>;
  template <class T>
  using Plane = typename Depthwise::template Plane<T>;

  static int64_t Tokens(const Job& job) { return job.height * job.width; }
  static int64_t Chunks(const Job& job) {
    return (Tokens(job) + kSs2dChunk - 1) / kSs2dChunk;
  }
  static int64_t Rates(const Job& job) { return job.rank + 2; }

  static const Scalar* Row(const Job& job, int64_t row) {
    return job.rows + row * job.padded;
  }
  static BasicNormWeights<Scalar> Norm(const Job& job) {
    return {Row(job, Ss2dRows::kNormWeight), Row(job, Ss2dRows::kNormBias),
            job.epsilon};
  }

  // The picture of values whose rows are the scan's steps.
  template <class T>
  static Plane<T> BySteps(const Job& job, T* steps) {
    return {steps + job.first_step * job.padded, job.row_step * job.padded,
            job.column_step * job.padded};
  }
  template <class T>
  static Plane<T> ByTokens(const Job& job, T* tokens, int64_t stride) {
    return {tokens, job.width * stride, stride};
  }

  // The convolution with the nine taps from row `taps` on.
  template <class Finish>
  static void Convolve(const Job& job, int64_t taps, int64_t bias,
                       const Plane<const Scalar>& x, const Plane<Scalar>& y,
                       Finish finish) {
    Depthwise::RunWith({.shape = {.rows = job.height,
                                  .width = job.width,
                                  .channels = job.channels},
                        .x = x,
                        .weight = Row(job, taps),
                        .weight_stride = job.padded,
                        .bias = Row(job, bias),
                        .y = y},
                       finish);
  }

  // Some adjacent steps, as a piece of the scan.
  struct Chunk {
    int64_t begin;
    int64_t count;
    TokenOrder order() const { return {0, 1, 0, count, 1}; }
    TokenOrder reversed() const { return {count - 1, 1, 0, count, -1}; }
  };
  static Chunk ChunkOf(const Job& job, int64_t index) {
    const int64_t begin = index * kSs2dChunk;
    const int64_t left = Tokens(job) - begin;
    return {begin, left < kSs2dChunk ? left : kSs2dChunk};
  }

  // r, b and c of the chunk, then delta = r W_dt, which the scan adds the bias
  // to; and the scan's inputs made of them.
  static Inputs ProjectChunk(const Job& job, const Chunk& chunk,
                             const Scalar* u, Scalar* rates, Scalar* delta) {
    const int64_t stride = Rates(job);
    Products::Project({chunk.count, stride, job.padded, stride}, u,
                      Row(job, Ss2dRows::kProjection), rates);
    Products::template Expand<false>(
        {chunk.count, job.rank, job.padded, stride}, rates,
        Row(job, Ss2dRows::kProjection + stride), delta);
    return {.u = {u, 0, job.padded},
            .delta = {delta, 0, job.padded},
            .b = {rates + job.rank, 0, stride},
            .c = {rates + job.rank + 1, 0, stride},
            .a = Row(job, Ss2dRows::kA),
            .d = Row(job, Ss2dRows::kD),
            .delta_bias = Row(job, Ss2dRows::kDeltaBias)};
  }

  // Calls visit(step within the chunk, token, count, token_step) for steps
  // whose tokens are evenly apart.
  template <class Visitor>
  static void ForEachRun(const Job& job, const Chunk& chunk, Visitor visit) {
    const TokenOrder& order = job.order;
    for (int64_t step = 0; step < chunk.count;) {
      const int64_t outer = (chunk.begin + step) / order.inner_count;
      const int64_t inner = (chunk.begin + step) % order.inner_count;
      const int64_t here = order.inner_count - inner;
      const int64_t left = chunk.count - step;
      const int64_t count = here < left ? here : left;
      visit(step,
            order.first + outer * order.outer_step + inner * order.inner_step,
            count, order.inner_step);
      step += count;
    }
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SS2D_COMMON_H_
