// The backward SS2D core of one picture over any of the SIMD wrappers:
// kernels/ss2d_core.h says what it computes.
//
// u is computed again, and the slope of its silu beside it; then the chunks of
// the scan go from the last to the first, each from the state before it that
// the forward core saved: forward to y, back through the norm, the scan and the
// projections to the gradient by the convolution's sums, which takes u's place.
// A chunk's values stay in the cache all that way. At last the convolution.

#ifndef GROUPMAMBA_KERNELS_SS2D_BACKWARD_H_
#define GROUPMAMBA_KERNELS_SS2D_BACKWARD_H_

#include <cstdint>

#include "kernels/scan_backward.h"
#include "kernels/ss2d_common.h"
#include "kernels/token_depthwise_gradient.h"
#include "kernels/token_norm_backward.h"

namespace groupmamba::kernels {

template <class Simd>
struct Ss2dBackward {
  using Common = Ss2dCommon<Simd>;
  using Products = Ss2dProducts<Simd>;
  using Scan = ScanBackward<Simd>;
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;
  using Job = Ss2dJob<Scalar>;
  using ConstTokens = BasicConstTokens<Scalar>;
  using Tokens = BasicTokens<Scalar>;

  // One call's memory. [chunk] stands for kSs2dChunk steps.
  struct Call {
    const Job& job;
    const ConstTokens& xz;
    const Scalar* states;
    const ConstTokens& dout;
    const Tokens& dxz;
    Scalar* gradients;               // rows as in Ss2dRows
    typename Scan::Record* records;  // [vector][chunk]
    Scalar* delta;                   // [chunk][padded], then ddelta
    Scalar* y;                       // [chunk][padded], then du
    Scalar* dy;                      // [chunk][padded]
    Scalar* carry;                   // [padded], into the chunk before
    Scalar* state;                   // [padded]
    Scalar* rates;                   // [chunk][R + 2]
    Scalar* drates;                  // [chunk][R + 2]
    Scalar* u;                       // [step][padded], then by the sums
    Scalar* slope;                   // [step][padded]: du's factor

    Scalar* Gradient(int64_t row) const { return gradients + row * job.padded; }
  };

  static int64_t GradientRows(const Job& job) {
    return Ss2dRows::kProjection + 2 * job.rank + 2;
  }

  static int64_t Records(const Job& job) {  // in scalars
    return kSs2dChunk * job.padded *
           static_cast<int64_t>(sizeof(typename Scan::Record) / sizeof(Vec));
  }

  static int64_t Scratch(const Job& job) {
    return Records(job) + (3 * kSs2dChunk + 2) * job.padded +
           2 * kSs2dChunk * Common::Rates(job) +
           2 * Common::Tokens(job) * job.padded;
  }

  static void Run(const Job& job, const ConstTokens& xz, const Scalar* states,
                  const ConstTokens& dout, const Tokens& dxz, Scalar* gradients,
                  Scalar* scratch) {
    const int64_t piece = kSs2dChunk * job.padded;
    const int64_t rates = kSs2dChunk * Common::Rates(job);
    Scalar* const delta = scratch + Records(job);
    Scalar* const carry = delta + 3 * piece;
    Scalar* const u = carry + 2 * job.padded;
    Scalar* const slope = u + Common::Tokens(job) * job.padded;
    Scalar* const chunk_rates = slope + Common::Tokens(job) * job.padded;
    const Call call{
        .job = job,
        .xz = xz,
        .states = states,
        .dout = dout,
        .dxz = dxz,
        .gradients = gradients,
        .records = reinterpret_cast<typename Scan::Record*>(scratch),
        .delta = delta,
        .y = delta + piece,
        .dy = delta + 2 * piece,
        .carry = carry,
        .state = carry + job.padded,
        .rates = chunk_rates,
        .drates = chunk_rates + rates,
        .u = u,
        .slope = slope};
    Zero(GradientRows(job) * job.padded, gradients);
    Zero(3 * piece + 2 * job.padded, delta);  // for what is padded
    Common::Convolve(job, Ss2dRows::kConvolution, Ss2dRows::kConvolutionBias,
                     Common::ByTokens(job, xz.data, xz.stride),
                     Common::BySteps(job, u), StoreSiluAndSlope{slope - u});
    for (int64_t i = Common::Chunks(job) - 1; i >= 0; --i) RunChunk(call, i);
    RunConvolution(call);
  }

  struct StoreSiluAndSlope {
    int64_t to_slope;
    template <class Lanes>
    void operator()(Lanes, Scalar* u, Vec sum) const {
      const auto silu = SimdMath<Simd>::SiluAndSlope(sum);
      Simd::Store(u, silu.value);
      Simd::Store(u + to_slope, silu.slope);
    }
  };
  struct StoreSum {
    template <class Lanes>
    void operator()(Lanes lanes, Scalar* x, Vec sum) const {
      lanes.Store(x, sum);
    }
  };

  static void Zero(int64_t count, Scalar* x) {
    for (int64_t i = 0; i < count; ++i) x[i] = 0;
  }

  static void RunChunk(const Call& call, int64_t index) {
    const Job& job = call.job;
    const auto chunk = Common::ChunkOf(job, index);
    const auto in = Common::ProjectChunk(
        job, chunk, call.u + chunk.begin * job.padded, call.rates, call.delta);
    const Scalar* const saved = call.states + index * job.channels;
    for (int64_t c = 0; c < job.channels; ++c) call.state[c] = saved[c];

    const int64_t rates = Common::Rates(job);
    const TokenOrder order = chunk.order();
    const TokenOrder reversed = chunk.reversed();
    const BasicTokenTensor<Scalar> y{call.y, 0, job.padded};
    const BasicTokenTensor<const Scalar> dy{call.dy, 0, job.padded};
    const BasicScanGradients<Scalar> out{
        .du = y,
        .ddelta = {call.delta, 0, job.padded},
        .db = {call.drates + job.rank, 0, rates},
        .dc = {call.drates + job.rank + 1, 0, rates},
        .da = call.Gradient(Ss2dRows::kA),
        .dd = call.Gradient(Ss2dRows::kD),
        .ddelta_bias = call.Gradient(Ss2dRows::kDeltaBias)};
    const typename Scan::Call scan{.order = order,
                                   .reversed = reversed,
                                   .in = in,
                                   .dy = dy,
                                   .out = out,
                                   .records = call.records,
                                   .states = call.state,
                                   .carry = call.carry,
                                   .y = &y};
    Scan::RecordPiece(job.padded, scan);
    RunNorm(call, chunk);
    Scan::WalkBackPiece(job.padded, scan);
    RunProjections(call, chunk);
  }

  // y to dy, and the gate's gradient.
  static void RunNorm(const Call& call, const typename Common::Chunk& chunk) {
    const Job& job = call.job;
    Common::ForEachRun(
        job, chunk,
        [&](int64_t step, int64_t token, int64_t count, int64_t token_step) {
          TokenNormBackward<Simd>::Gated(
              count, job.channels, {call.y + step * job.padded, job.padded},
              {call.xz.data + token * call.xz.stride + job.channels,
               token_step * call.xz.stride},
              Common::Norm(job),
              {call.dout.data + token * call.dout.stride,
               token_step * call.dout.stride},
              {.dx = {call.dy + step * job.padded, job.padded},
               .dgate = {call.dxz.data + token * call.dxz.stride + job.channels,
                         token_step * call.dxz.stride},
               .dweight = call.Gradient(Ss2dRows::kNormWeight),
               .dbias = call.Gradient(Ss2dRows::kNormBias)});
        });
  }

  // ddelta, db, dc and du to the gradient by the convolution's sums.
  static void RunProjections(const Call& call,
                             const typename Common::Chunk& chunk) {
    const Job& job = call.job;
    const int64_t rates = Common::Rates(job);
    const typename Products::Shape narrow{chunk.count, job.rank, job.padded,
                                          rates};
    const typename Products::Shape wide{chunk.count, rates, job.padded, rates};
    const int64_t dt_projs = Ss2dRows::kProjection + rates;
    Scalar* const u = call.u + chunk.begin * job.padded;
    const Scalar* const slope = call.slope + chunk.begin * job.padded;
    Products::AddOuter(narrow, call.rates, call.delta, call.Gradient(dt_projs));
    Products::Project(narrow, call.delta, Common::Row(job, dt_projs),
                      call.drates);
    Products::AddOuter(wide, call.drates, u,
                       call.Gradient(Ss2dRows::kProjection));
    Products::template Expand<true>(
        wide, call.drates, Common::Row(job, Ss2dRows::kProjection), call.y);
    for (int64_t i = 0; i < chunk.count * job.padded; i += Simd::kLanes) {
      Simd::Store(u + i, Simd::Load(call.y + i) * Simd::Load(slope + i));
    }
  }

  static void RunConvolution(const Call& call) {
    const Job& job = call.job;
    const auto by_sums =
        Common::BySteps(job, static_cast<const Scalar*>(call.u));
    const int64_t flipped = GradientRows(job);
    Common::Convolve(job, flipped, flipped + 9, by_sums,
                     Common::ByTokens(job, call.dxz.data, call.dxz.stride),
                     StoreSum{});
    TokenDepthwiseGradient<Simd>::Add(
        {0, job.height, job.height, job.width}, job.channels,
        Common::ByTokens(job, call.xz.data, call.xz.stride), by_sums,
        call.Gradient(Ss2dRows::kConvolution), job.padded);
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SS2D_BACKWARD_H_
