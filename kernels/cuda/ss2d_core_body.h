// The kernel of the SS2D core (kernels/cuda/ss2d_core.h), over a thread
// context.
//
// A block has one image's group and one segment of its sequence. Phases, with a
// barrier after each:
//
//   convolution   a thread: a column of the segment's rectangle, 16 bytes of
//                 channels -> u, by place, in shared memory
//   projection    a few lanes a token: b, c and r of each place
//   local scan    a thread: a chunk, four channels, from state 0; Delta stays
//                 in its registers -> the chunk's decay and last state
//   carry         a thread: a channel; takes the state before the segment from
//                 the block of the segment before, folds the chunks in order,
//                 hands the last state on
//   final scan    as the local one, from the chunk's true first state; y
//                 overwrites u
//   output        a few lanes a token: norm, gate
//
// Blocks take tickets when they start, and a block waits only for one with an
// earlier ticket: so none can wait for a block that is not running.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_BODY_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_BODY_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_core_convolution.h"
#include "kernels/cuda/ss2d_core_projection.h"
#include "kernels/cuda/ss2d_core_scan.h"
#include "kernels/cuda/ss2d_core_segment.h"

namespace groupmamba::cuda {

// The barriers' numbers.
enum Ss2dBarrier {
  kTicketTaken,
  kConvolved,
  kProjected,
  kScannedLocally,
  kCarried,
  kScanned,
  kSs2dBarriers
};

// ---- output

// Takes the mean off a token's channels, a lane's ones from `channel` on;
// returns what then gives them the variance 1. All lanes of the warp.
template <int kLanes, int kCount, class S>
GM_DEVICE float CentreToken(const S& s, int channel, float (&y)[kCount]) {
  float sum = 0;
  GM_UNROLL
  for (int i = 0; i < kCount; ++i) sum += y[i];
  const float inverse =
      1.0f / static_cast<float>(s.arguments.shape.group_width);
  const float mean = SumOverLanes<kLanes>(s.ctx, sum) * inverse;
  float squares = 0;
  GM_UNROLL
  for (int i = 0; i < kCount; ++i) {
    y[i] -= mean;
    // Padding is no part of the variance.
    if (channel + i < s.arguments.shape.group_width) squares += y[i] * y[i];
  }
  const float variance = SumOverLanes<kLanes>(s.ctx, squares) * inverse;
  return s.ctx.ReciprocalSquareRoot(variance + s.arguments.epsilon);
}

template <class S>
GM_DEVICE void OutputToken(const S& s, const float (&weight)[kOctet],
                           const float (&bias)[kOctet], int place, int token,
                           bool valid, int lane) {
  float y[kOctet] = {};
  if (valid) {
    LoadSharedValues<kOctet, typename S::Value>(
        s.ctx,
        s.Shared().values + place * S::kPlaceBytes + lane * kOctet * S::kBytes,
        y);
  }
  const float scale = CentreToken<S::kLanes>(s, lane * kOctet, y);
  if (!valid) return;
  float z[kOctet];
  LoadValues<kOctet>(
      s.ctx, s.Xz() + (int64_t{token} * 2 + 1) * S::kPadded + lane * kOctet, z);
  GM_UNROLL
  for (int i = 0; i < kOctet; ++i) {
    z[i] = (y[i] * scale * weight[i] + bias[i]) * S::Math::Silu(s.ctx, z[i]);
  }
  StoreValues<kOctet>(s.ctx,
                      static_cast<typename S::Value*>(s.arguments.out) +
                          s.FirstValue() + int64_t{token} * S::kPadded +
                          lane * kOctet,
                      z);
}

template <class S>
GM_DEVICE void Output(const S& s) {
  const int lane = s.ctx.Thread() % S::kLanes;
  const bool has_octet = lane < S::kOctets;
  float weight[kOctet] = {}, bias[kOctet] = {};
  if (has_octet) {
    LoadValues<kOctet>(s.ctx, s.Row(Ss2dRows::kNormWeight) + lane * kOctet,
                       weight);
    LoadValues<kOctet>(s.ctx, s.Row(Ss2dRows::kNormBias) + lane * kOctet, bias);
  }
  const Divider length(s.line.length), chunk(s.line.chunk);
  const int tokens = s.count * s.line.length;
  for (int first = s.ctx.Thread() / kWarp * (kWarp / S::kLanes); first < tokens;
       first += s.ctx.Threads() / S::kLanes) {
    const int token = first + s.ctx.Thread() % kWarp / S::kLanes;
    const int line = length.Quotient(token);
    const int position = token - line * s.line.length;
    OutputToken(s, weight, bias, s.PlaceOf(line, position, chunk),
                s.TokenOf(line, position), token < tokens && has_octet, lane);
  }
}

template <class T, int kPadded, class Ctx>
GM_DEVICE void Ss2dCoreBody(const Ctx& ctx, const Ss2dArguments& arguments) {
  using S = Ss2dSegment<Ctx, T, kPadded, Ss2dForwardPass, Ss2dArguments>;
  int work = ctx.Block();
  if (arguments.segments > 1) {
    if (ctx.Thread() == 0) ctx.StoreShared(0, TakeWork(ctx, arguments));
    ctx.template Barrier<kTicketTaken>();
    work = ctx.template LoadShared<int>(0);
  }
  const S s(ctx, arguments, work);
  Convolve<ToShared>(s);
  ctx.template Barrier<kConvolved>();
  ProjectU(s);
  ctx.template Barrier<kProjected>();
  float delta[S::kChunk][kQuad];
  ScanLocally(s, delta);
  ctx.template Barrier<kScannedLocally>();
  Carry(s);
  ctx.template Barrier<kCarried>();
  Scan(s, delta);
  ctx.template Barrier<kScanned>();
  Output(s);
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_BODY_H_
