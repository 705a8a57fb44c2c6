// The scan of the SS2D core's backward pass: the forward one again from the
// saved states, and the gradient's from the end, by chunks from zero, the
// chunks folded in reverse, and by chunks again from the right one. S: an
// Ss2dSegment of the backward pass.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_SCAN_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_SCAN_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_backward_geometry.h"
#include "kernels/cuda/ss2d_core_scan.h"

namespace groupmamba::cuda {

template <class S>
GM_DEVICE int GradientAt(const S& s, const ScanItem& item, int j) {
  return s.Shared().gradients + (item.place + j) * S::kPlaceBytes +
         item.channel * S::kBytes;
}

template <class S>
GM_DEVICE int RowAt(int part, int place) {
  return part + place * S::kRow * 4;
}

template <class S>
GM_DEVICE void LoadState(const S& s, const ScanItem& item, float* h) {
  const int line = item.chunk / s.line.chunks;
  LoadValues<kQuad>(
      s.ctx, s.State(s.first + line, item.chunk % s.line.chunks) + item.channel,
      h);
}

// `delta` as in the forward pass; y goes to the gradients' places.
template <class S>
GM_DEVICE void Replay(const S& s, float (&delta)[S::kChunk][kQuad]) {
  const ScanItem item = ItemOfThread(s);
  if (item.tokens <= 0) return;
  const Rates<S> rates(s, item.channel);
  float d[kQuad], h[kQuad];
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kD) + item.channel, d);
  LoadState(s, item, h);
  GM_UNROLL
  for (int j = 0; j < S::kChunk; ++j) {
    if (j >= item.tokens) continue;
    float row[S::kRow], u[kQuad];
    LoadSharedValues<S::kRow, float>(
        s.ctx, RowAt<S>(s.Shared().rows, item.place + j), row);
    LoadSharedValues<kQuad, typename S::Value>(s.ctx, ValueAt(s, item, j), u);
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) {
      delta[j][i] = rates.Delta(s, row, i);
      h[i] = s.ctx.Exp2(rates.a[i] * delta[j][i]) * h[i] +
             delta[j][i] * (kLn2 * row[0]) * u[i];
      u[i] = row[1] * h[i] + d[i] * u[i];
    }
    StoreSharedValues<kQuad, typename S::Value>(s.ctx, GradientAt(s, item, j),
                                                u);
  }
}

// The gradient that a chunk hands to the one before it, from none after it.
template <class S>
GM_DEVICE void ReverseLocally(const S& s,
                              const float (&delta)[S::kChunk][kQuad]) {
  const ScanItem item = ItemOfThread(s);
  if (item.tokens <= 0) return;
  float a[kQuad], g[kQuad] = {}, sum[kQuad] = {};
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kA) + item.channel, a);
  GM_UNROLL
  for (int j = S::kChunk - 1; j >= 0; --j) {
    if (j >= item.tokens) continue;
    const auto c = s.ctx.template LoadShared<float>(
        RowAt<S>(s.Shared().rows, item.place + j) + 4);
    float dy[kQuad];
    LoadSharedValues<kQuad, typename S::Value>(s.ctx, GradientAt(s, item, j),
                                               dy);
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) {
      sum[i] += delta[j][i];
      g[i] = s.ctx.Exp2(a[i] * delta[j][i]) * (c * dy[i] + g[i]);
    }
  }
  GM_UNROLL
  for (int i = 0; i < kQuad; ++i) sum[i] = s.ctx.Exp2(a[i] * sum[i]);
  StoreSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().decays, item.chunk, item.channel), sum);
  StoreSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().states, item.chunk, item.channel), g);
}

template <class S>
GM_DEVICE uint64_t* BorderWords(const S& s, int border) {
  return s.Words(border,
                 BackwardWords(s.height, s.width, S::kPadded, S::kBytes).words);
}

template <class S>
GM_DEVICE void CarryBack(const S& s) {
  for (int channel = s.ctx.Thread(); channel < S::kPadded;
       channel += s.ctx.Threads()) {
    float g = 0;
    if (s.segment + 1 < s.arguments.segments) {
      g = s.ctx.Take(BorderWords(s, s.segment) + channel);
    }
    for (int chunk = s.count * s.line.chunks - 1; chunk >= 0; --chunk) {
      g = PassChunk(s, chunk, channel, g);
    }
    if (s.segment > 0) {
      s.ctx.Publish(BorderWords(s, s.segment - 1) + channel, g);
    }
  }
}

// The states before each token of the item.
template <class S>
GM_DEVICE void StatesBefore(const S& s, const ScanItem& item,
                            const float (&delta)[S::kChunk][kQuad],
                            const float (&a)[kQuad],
                            float (&before)[S::kChunk][kQuad]) {
  float h[kQuad];
  LoadState(s, item, h);
  GM_UNROLL
  for (int j = 0; j < S::kChunk; ++j) {
    if (j >= item.tokens) continue;
    const auto b = s.ctx.template LoadShared<float>(
        RowAt<S>(s.Shared().rows, item.place + j));
    float u[kQuad];
    LoadSharedValues<kQuad, typename S::Value>(s.ctx, ValueAt(s, item, j), u);
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) {
      before[j][i] = h[i];
      h[i] = s.ctx.Exp2(a[i] * delta[j][i]) * h[i] +
             delta[j][i] * (kLn2 * b) * u[i];
    }
  }
}

// What one thread's chunk and channels know of each other.
struct ReverseState {
  float a[kQuad] = {}, d[kQuad] = {};
  float g[kQuad] = {};                   // what the token after hands back
  float da[kQuad] = {}, dd[kQuad] = {};  // sums over the chunk
};

// Token j of the item: the gradient of Delta before its activation overwrites
// u, and u' without the projections' overwrites y'. `db` and `dc` receive the
// four channels' sums.
template <class S>
GM_DEVICE void ReverseToken(const S& s, const ScanItem& item, int j,
                            const float (&delta)[kQuad],
                            const float (&before)[kQuad], ReverseState& state,
                            float& db, float& dc) {
  float bc[2], u[kQuad], dy[kQuad];
  LoadSharedValues<2, float>(s.ctx, RowAt<S>(s.Shared().rows, item.place + j),
                             bc);
  LoadSharedValues<kQuad, typename S::Value>(s.ctx, ValueAt(s, item, j), u);
  LoadSharedValues<kQuad, typename S::Value>(s.ctx, GradientAt(s, item, j), dy);
  GM_UNROLL
  for (int i = 0; i < kQuad; ++i) {
    const float g = bc[1] * dy[i] + state.g[i];
    const float step = kLn2 * delta[i];
    const float decay = s.ctx.Exp2(state.a[i] * delta[i]);
    const float kept = decay * before[i];
    db += g * step * u[i];
    dc += dy[i] * (kept + step * bc[0] * u[i]);
    state.da[i] += g * kept * step;
    state.dd[i] += dy[i] * u[i];
    state.g[i] = decay * g;
    const float d_delta = g * (bc[0] * u[i] + state.a[i] * kept);
    u[i] = d_delta * SoftplusSlope(s.ctx, delta[i]);
    dy[i] = state.d[i] * dy[i] + g * step * bc[0];
  }
  StoreSharedValues<kQuad, typename S::Value>(s.ctx, ValueAt(s, item, j), u);
  StoreSharedValues<kQuad, typename S::Value>(s.ctx, GradientAt(s, item, j),
                                              dy);
}

// Leaves the chunk's sums of A's and D's gradients where its decay and its
// state were.
template <class S>
GM_DEVICE void ReverseScan(const S& s, const float (&delta)[S::kChunk][kQuad]) {
  const ScanItem item = ItemOfThread(s);
  const int decays = StateAt<S>(s.Shared().decays, item.chunk, item.channel);
  const int states = StateAt<S>(s.Shared().states, item.chunk, item.channel);
  ReverseState state;
  float before[S::kChunk][kQuad];
  if (item.tokens > 0) {
    LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kA) + item.channel, state.a);
    LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kD) + item.channel, state.d);
    LoadSharedValues<kQuad, float>(s.ctx, states, state.g);
    StatesBefore(s, item, delta, state.a, before);
  }
  GM_UNROLL
  for (int j = S::kChunk - 1; j >= 0; --j) {
    float bc[2] = {};
    if (j < item.tokens) {
      ReverseToken(s, item, j, delta[j], before[j], state, bc[0], bc[1]);
    }
    // All lanes, for the shuffles.
    GM_UNROLL
    for (int i = 0; i < 2; ++i) {
      bc[i] = SumOverLanes<S::kScanLanes>(s.ctx, bc[i]);
    }
    if (j < item.tokens && item.channel == 0) {
      StoreSharedValues<2, float>(
          s.ctx, RowAt<S>(s.Shared().row_gradients, item.place + j), bc);
    }
  }
  if (item.tokens <= 0) return;
  StoreSharedValues<kQuad, float>(s.ctx, decays, state.da);
  StoreSharedValues<kQuad, float>(s.ctx, states, state.dd);
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_SCAN_H_
