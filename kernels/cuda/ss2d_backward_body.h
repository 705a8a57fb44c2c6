// The kernel of the SS2D core's backward pass (kernels/cuda/ss2d_backward.h),
// over a thread context.
//
// A block has one image's group and one segment of its sequence, the last
// segment first. Phases, with a barrier after each; u and b, c, r are computed
// as in the forward pass, where "values" holds u and "gradients" what is named:
//
//   convolution, projection   the forward pass's
//   replay, norm  a thread: a chunk, four channels, from the state that was
//                 saved -> y; Delta stays in its registers. Then gate and
//                 norm -> z', y'; sums for the norm's parameters, which a phase
//                 of their own folds
//   local scan    a thread: a chunk, four channels, from no gradient behind it
//   carry         a thread: a channel; takes the state's gradient from the
//                 segment behind, folds the chunks, hands it on
//   final scan    from the chunk's true gradient -> u' but for the projections;
//                 the gradient of Delta's input in the values; b', c'
//   rates         a few lanes a token: r'; sums for Delta's parameters
//   projections   a thread: a chunk, four channels -> u'
//   activation    the convolution again, for silu's slope -> its output's
//                 gradient; u in the values
//   halo          takes that of the two lines behind from their block; sums for
//                 x_proj and the convolution
//   output        hands its own first two lines on; x'; folds the sums

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_BODY_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_BODY_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_backward_convolution.h"
#include "kernels/cuda/ss2d_backward_scan.h"
#include "kernels/cuda/ss2d_backward_sums.h"
#include "kernels/cuda/ss2d_core_body.h"
#include "kernels/cuda/ss2d_core_convolution.h"
#include "kernels/cuda/ss2d_core_projection.h"

namespace groupmamba::cuda {

// The barriers' numbers.
enum Ss2dBackwardBarrier {
  kBackTicketTaken,
  kBackConvolved,
  kBackProjected,
  kNormed,
  kNormFolded,
  kReversedLocally,
  kCarriedBack,
  kReversed,
  kRatesProjected,
  kProjectionsAdded,
  kActivated,
  kHaloTaken,
  kSs2dBackwardBarriers
};

// ---- norm and gate

// Sums over a chunk, for the norm's weight and bias.
struct NormSums {
  float weight[kQuad] = {}, bias[kQuad] = {};
};

// The gradient by the norm's output, and z' to memory. `y`: standardised.
template <class S>
GM_DEVICE void GateBackward(const S& s, int64_t token, int channel,
                            const float (&y)[kQuad], float (&d_norm)[kQuad]) {
  const int64_t of_z = (token * 2 + 1) * S::kPadded + channel;
  float weight[kQuad], bias[kQuad], z[kQuad];
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kNormWeight) + channel, weight);
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kNormBias) + channel, bias);
  LoadValues<kQuad>(s.ctx, s.Xz() + of_z, z);
  LoadValues<kQuad>(s.ctx,
                    static_cast<const typename S::Value*>(s.arguments.d_out) +
                        s.FirstValue() + token * S::kPadded + channel,
                    d_norm);
  GM_UNROLL
  for (int i = 0; i < kQuad; ++i) {
    const float sigmoid = S::Math::Sigmoid(s.ctx, z[i]);
    const float slope = SiluSlope(z[i], sigmoid);
    const float norm = y[i] * weight[i] + bias[i];
    const float d_gate = d_norm[i] * norm * slope;
    d_norm[i] *= z[i] * sigmoid;
    z[i] = d_gate;
  }
  StoreValues<kQuad>(s.ctx,
                     static_cast<typename S::Value*>(s.arguments.d_xz) +
                         s.FirstValue() * 2 + of_z,
                     z);
}

// One token: y' over y; all lanes of the warp.
template <class S>
GM_DEVICE void NormToken(const S& s, const ScanItem& item, int j, int token,
                         NormSums& sums) {
  const bool valid = j < item.tokens;
  const int at = GradientAt(s, item, j);
  float y[kQuad] = {}, dy[kQuad] = {};
  if (valid) LoadSharedValues<kQuad, typename S::Value>(s.ctx, at, y);
  const float scale = CentreToken<S::kScanLanes>(s, item.channel, y);
  float sum = 0, product = 0;
  if (valid) {
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) y[i] *= scale;
    GateBackward(s, token, item.channel, y, dy);
    float weight[kQuad];
    LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kNormWeight) + item.channel,
                      weight);
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) {
      sums.weight[i] += dy[i] * y[i];
      sums.bias[i] += dy[i];
      dy[i] *= weight[i];
      sum += dy[i];
      product += dy[i] * y[i];
    }
  }
  const float inverse =
      1.0f / static_cast<float>(s.arguments.shape.group_width);
  sum = SumOverLanes<S::kScanLanes>(s.ctx, sum) * inverse;
  product = SumOverLanes<S::kScanLanes>(s.ctx, product) * inverse;
  if (!valid) return;
  GM_UNROLL
  for (int i = 0; i < kQuad; ++i) {
    const bool padding = item.channel + i >= s.arguments.shape.group_width;
    dy[i] = padding ? 0.0f : scale * (dy[i] - sum - y[i] * product);
  }
  StoreSharedValues<kQuad, typename S::Value>(s.ctx, at, dy);
}

template <class S>
GM_DEVICE void NormBackward(const S& s) {
  const ScanItem item = ItemOfThread(s);
  const int line = item.chunk / s.line.chunks;
  const int first = item.chunk % s.line.chunks * s.line.chunk;
  NormSums sums;
  GM_NO_UNROLL
  for (int j = 0; j < s.line.chunk; ++j) {
    NormToken(s, item, j, s.TokenOf(line, first + j), sums);
  }
  if (item.tokens <= 0) return;
  StoreSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().decays, item.chunk, item.channel),
      sums.weight);
  StoreSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().states, item.chunk, item.channel),
      sums.bias);
}

// ---- projections

// Takes r' of a token, beside its b' and c'.
template <class S>
struct ToRateGradients {
  GM_DEVICE void Take(int place, const float (&sums)[S::kRank]) const {
    const int at = RowAt<S>(s.Shared().row_gradients, place);
    float row[S::kRow] = {};
    LoadSharedValues<2, float>(s.ctx, at, row);
    GM_UNROLL
    for (int r = 0; r < S::kRank; ++r) row[2 + r] = sums[r];
    StoreSharedValues<S::kRow, float>(s.ctx, at, row);
  }
  const S& s;
};

template <class S>
GM_DEVICE void AddProjections(const S& s) {
  const ScanItem item = ItemOfThread(s);
  if (item.tokens <= 0) return;
  float weight[S::kRank + 2][kQuad];
  GM_UNROLL
  for (int r = 0; r < S::kRank + 2; ++r) {
    LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kB + r) + item.channel, weight[r]);
  }
  for (int j = 0; j < item.tokens; ++j) {
    float row[S::kRow], du[kQuad];
    LoadSharedValues<S::kRow, float>(
        s.ctx, RowAt<S>(s.Shared().row_gradients, item.place + j), row);
    LoadSharedValues<kQuad, typename S::Value>(s.ctx, GradientAt(s, item, j),
                                               du);
    GM_UNROLL
    for (int r = 0; r < S::kRank + 2; ++r) {
      GM_UNROLL
      for (int i = 0; i < kQuad; ++i) du[i] += row[r] * weight[r][i];
    }
    StoreSharedValues<kQuad, typename S::Value>(s.ctx, GradientAt(s, item, j),
                                                du);
  }
}

// ---- phases of several parts

template <class S>
GM_DEVICE void RatesBackward(const S& s) {
  Project<DeltaRow(S::kPadded), S::kRank>(s, ToRateGradients<S>{s});
  SumProducts</*kOfRates=*/true>(s, s.Shared().rows);
  FoldChunks(s, Ss2dRows::kA, Ss2dRows::kD);
}

template <class S>
GM_DEVICE void InputSums(const S& s) {
  TakeHalo(s);
  SumProducts</*kOfRates=*/false>(s, s.Shared().row_gradients);
  SumConvolutions(s);
}

template <class S>
GM_DEVICE void Finish(const S& s) {
  PublishHalo(s);
  OutputInputGradient(s);
  FoldBands(s);
}

// The segment as the block's first thread found it. Each phase reads it again:
// kept from phase to phase, its numbers and what follows from them would cost
// the registers that Delta needs.
template <class S>
GM_DEVICE S SegmentAgain(const typename S::Ctx& ctx,
                         const Ss2dBackwardArguments& arguments) {
  return S(ctx, arguments, ctx.template LoadShared<Word4>(0),
           ctx.template LoadShared<Word4>(16));
}

template <class T, int kPadded, class Ctx>
GM_DEVICE void Ss2dBackwardBody(const Ctx& ctx,
                                const Ss2dBackwardArguments& arguments) {
  using S =
      Ss2dSegment<Ctx, T, kPadded, Ss2dBackwardPass, Ss2dBackwardArguments>;
  if (ctx.Thread() == 0) {
    S(ctx, arguments, TakeWork(ctx, arguments)).Save(0);
  }
  ctx.template Barrier<kBackTicketTaken>();
  Convolve<ToShared>(SegmentAgain<S>(ctx, arguments));
  ctx.template Barrier<kBackConvolved>();
  ProjectU(SegmentAgain<S>(ctx, arguments));
  ctx.template Barrier<kBackProjected>();
  float delta[S::kChunk][kQuad];
  Replay(SegmentAgain<S>(ctx, arguments), delta);
  NormBackward(SegmentAgain<S>(ctx, arguments));
  ctx.template Barrier<kNormed>();
  FoldChunks(SegmentAgain<S>(ctx, arguments), Ss2dRows::kNormWeight,
             Ss2dRows::kNormBias);
  ctx.template Barrier<kNormFolded>();
  ReverseLocally(SegmentAgain<S>(ctx, arguments), delta);
  ctx.template Barrier<kReversedLocally>();
  CarryBack(SegmentAgain<S>(ctx, arguments));
  ctx.template Barrier<kCarriedBack>();
  ReverseScan(SegmentAgain<S>(ctx, arguments), delta);
  ctx.template Barrier<kReversed>();
  RatesBackward(SegmentAgain<S>(ctx, arguments));
  ctx.template Barrier<kRatesProjected>();
  AddProjections(SegmentAgain<S>(ctx, arguments));
  ctx.template Barrier<kProjectionsAdded>();
  Convolve<ToConvolutionGradient>(SegmentAgain<S>(ctx, arguments));
  ctx.template Barrier<kActivated>();
  InputSums(SegmentAgain<S>(ctx, arguments));
  ctx.template Barrier<kHaloTaken>();
  Finish(SegmentAgain<S>(ctx, arguments));
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_BODY_H_
