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
#include "kernels/cuda/depthwise_column.h"
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

// ---- convolution

// Takes a column's outputs: u, at the token's place.
template <class S>
struct ToShared {
  GM_DEVICE void Take(int row, const float* values) const {
    float u[S::kVector];
    GM_UNROLL
    for (int i = 0; i < S::kVector; ++i) {
      u[i] = S::Math::Silu(s.ctx, values[i]);
    }
    const int place =
        s.PlaceOf(s.LineOf(row, column), s.PositionOf(row, column), chunk);
    StoreSharedValues<S::kVector, typename S::Value>(
        s.ctx, s.Shared().values + place * S::kPlaceBytes + vector * 16, u);
  }
  const S& s;
  Divider chunk;
  int column;
  int vector;
};

// Rows [from, end) of a column.
template <class S>
GM_DEVICE void ConvolveRows(const S& s, int vector, int column, int from,
                            int end) {
  const int channel = vector * S::kVector;
  const DepthwiseSource<typename S::Value> source = {
      s.Xz() + channel,
      2 * S::kPadded,
      s.height,
      s.width,
      s.Row(Ss2dRows::kConvolution) + channel,
      s.Row(Ss2dRows::kConvolutionBias) + channel,
      S::kPadded};
  const ToShared<S> sink = {s, Divider(s.line.chunk), column, vector};
  ConvolveColumn<S::kVector>(s.ctx, source, column, from, end, sink);
}

template <class S>
GM_DEVICE void Convolve(const S& s) {
  // The segment's rectangle of the picture.
  const int low = s.reversed ? s.lines - s.first - s.count : s.first;
  const int rows = s.by_column ? s.height : s.count;
  const int columns = s.by_column ? s.count : s.width;
  const int first_row = s.by_column ? 0 : low;
  const int first_column = s.by_column ? low : 0;
  if (s.count == 0) return;
  const int across = columns * S::kVectors;
  const int parts = Larger(1, Smaller(rows, s.ctx.Threads() / across));
  const int height = CeilDivide(rows, parts);
  for (int item = s.ctx.Thread(); item < across * parts;
       item += s.ctx.Threads()) {
    const int vector = item % S::kVectors;
    const int column = item / S::kVectors % columns;
    const int part = item / across;
    const int from = Smaller(part * height, rows);
    const int end = Smaller(from + height, rows);
    ConvolveRows(s, vector, first_column + column, first_row + from,
                 first_row + end);
  }
}

// ---- projection

template <class S>
GM_DEVICE void ProjectToken(const S& s,
                            const float (&weight)[S::kRank + 2][kOctet],
                            int place, bool valid, int lane, bool has_octet) {
  float u[kOctet] = {};
  if (valid && has_octet) {
    LoadSharedValues<kOctet, typename S::Value>(
        s.ctx,
        s.Shared().values + place * S::kPlaceBytes + lane * kOctet * S::kBytes,
        u);
  }
  float row[S::kRow];
  GM_UNROLL
  for (int r = 0; r < S::kRow; ++r) {
    row[r] = 0;
    if (r >= S::kRank + 2) continue;
    GM_UNROLL
    for (int i = 0; i < kOctet; ++i)
      row[r] += u[i] * weight[r < S::kRank + 2 ? r : 0][i];
    row[r] = SumOverLanes<S::kLanes>(s.ctx, row[r]);
  }
  if (valid && lane == 0) {
    StoreSharedValues<S::kRow, float>(
        s.ctx, s.Shared().rows + place * S::kRow * 4, row);
  }
}

template <class S>
GM_DEVICE void Project(const S& s) {
  const int lane = s.ctx.Thread() % S::kLanes;
  const bool has_octet = lane < S::kOctets;
  float weight[S::kRank + 2][kOctet];
  GM_UNROLL
  for (int r = 0; r < S::kRank + 2; ++r) {
    GM_UNROLL
    for (int i = 0; i < kOctet; ++i) weight[r][i] = 0;
    if (has_octet) {
      LoadValues<kOctet>(s.ctx, s.Row(Ss2dRows::kB + r) + lane * kOctet,
                         weight[r]);
    }
  }
  const Divider length(s.line.length), chunk(s.line.chunk);
  const int tokens = s.count * s.line.length;
  // Whole warps go round together, for the shuffles.
  for (int first = s.ctx.Thread() / kWarp * (kWarp / S::kLanes); first < tokens;
       first += s.ctx.Threads() / S::kLanes) {
    const int token = first + s.ctx.Thread() % kWarp / S::kLanes;
    const int line = length.Quotient(token);
    const int place = s.PlaceOf(line, token - line * s.line.length, chunk);
    ProjectToken(s, weight, place, token < tokens, lane, has_octet);
  }
}

// ---- output

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
  float sum = 0;
  GM_UNROLL
  for (int i = 0; i < kOctet; ++i) sum += y[i];
  const float inverse =
      1.0f / static_cast<float>(s.arguments.shape.group_width);
  const float mean = SumOverLanes<S::kLanes>(s.ctx, sum) * inverse;
  float squares = 0;
  GM_UNROLL
  for (int i = 0; i < kOctet; ++i) {
    y[i] -= mean;
    // Padding is no part of the variance.
    if (lane * kOctet + i < s.arguments.shape.group_width)
      squares += y[i] * y[i];
  }
  const float variance = SumOverLanes<S::kLanes>(s.ctx, squares) * inverse;
  if (!valid) return;
  const float scale =
      s.ctx.ReciprocalSquareRoot(variance + s.arguments.epsilon);
  float z[kOctet];
  LoadValues<kOctet>(
      s.ctx, s.Xz() + (int64_t{token} * 2 + 1) * S::kPadded + lane * kOctet, z);
  GM_UNROLL
  for (int i = 0; i < kOctet; ++i) {
    z[i] = (y[i] * scale * weight[i] + bias[i]) * S::Math::Silu(s.ctx, z[i]);
  }
  StoreValues<kOctet>(s.ctx,
                      s.Out() + int64_t{token} * S::kPadded + lane * kOctet, z);
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
  int work = ctx.Block();
  if (arguments.segments > 1) {
    if (ctx.Thread() == 0) {
      ctx.StoreShared(
          0,
          ctx.NextTicket(static_cast<uint32_t*>(arguments.scratch),
                         static_cast<uint32_t>(arguments.shape.batch * kGroups *
                                               arguments.segments)));
    }
    ctx.template Barrier<kTicketTaken>();
    work = static_cast<int>(ctx.template LoadShared<uint32_t>(0));
  }
  using S = Ss2dSegment<Ctx, T, kPadded>;
  const S s(ctx, arguments, work);
  Convolve(s);
  ctx.template Barrier<kConvolved>();
  Project(s);
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
