// The forward SS2D core of one picture over any of the SIMD wrappers:
// kernels/ss2d_core.h says what it computes.

#ifndef GROUPMAMBA_KERNELS_SS2D_FORWARD_H_
#define GROUPMAMBA_KERNELS_SS2D_FORWARD_H_

#include <cstdint>

#include "kernels/scan_forward.h"
#include "kernels/ss2d_common.h"

namespace groupmamba::kernels {

template <class Simd>
struct Ss2dForward {
  using Common = Ss2dCommon<Simd>;
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;
  using Job = Ss2dJob<Scalar>;

  // u's rows are padded: whole vectors are stored.
  struct StoreSilu {
    template <class Lanes>
    void operator()(Lanes, Scalar* u, Vec sum) const {
      Simd::Store(u, SimdMath<Simd>::Silu(sum));
    }
  };

  // u of all steps; delta, over which y is written, and the rates of a chunk;
  // the state.
  static int64_t Scratch(const Job& job) {
    return (Common::Tokens(job) + kSs2dChunk + 1) * job.padded +
           kSs2dChunk * Common::Rates(job);
  }

  static void Run(const Job& job, const BasicConstTokens<Scalar>& xz,
                  const BasicTokens<Scalar>& out, Scalar* states,
                  Scalar* scratch) {
    Scalar* const u = scratch;
    Scalar* const y = u + Common::Tokens(job) * job.padded;
    Scalar* const state = y + kSs2dChunk * job.padded;
    Scalar* const rates = state + job.padded;
    Common::Convolve(job, Ss2dRows::kConvolution, Ss2dRows::kConvolutionBias,
                     Common::ByTokens(job, xz.data, xz.stride),
                     Common::BySteps(job, u), StoreSilu{});
    for (int64_t c = 0; c < job.padded; ++c) state[c] = 0;
    for (int64_t i = 0; i < Common::Chunks(job); ++i) {
      if (states) Copy(job.channels, state, states + i * job.channels);
      const auto chunk = Common::ChunkOf(job, i);
      // In a tile, delta is read before y is written in its place.
      const auto in = Common::ProjectChunk(
          job, chunk, u + chunk.begin * job.padded, rates, y);
      ScanForwardImage<Simd, Scalar>(0, job.padded, chunk.order(), in,
                                     {y, 0, job.padded}, state);
      Common::ForEachRun(
          job, chunk,
          [&](int64_t step, int64_t token, int64_t count, int64_t token_step) {
            TokenNorm<Simd>::Gated(
                count, job.channels, {y + step * job.padded, job.padded},
                {xz.data + token * xz.stride + job.channels,
                 token_step * xz.stride},
                Common::Norm(job),
                {out.data + token * out.stride, token_step * out.stride});
          });
    }
  }

  static void Copy(int64_t channels, const Scalar* from, Scalar* to) {
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      lanes.Store(to + c, lanes.Load(from + c));
    });
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SS2D_FORWARD_H_
