// The scan of the SS2D core: by chunks from state zero, the chunks' states
// folded in order, and by chunks again from the right state. S: an Ss2dSegment.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SCAN_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SCAN_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_core_segment.h"

namespace groupmamba::cuda {

// This thread's chunk: its number in the segment, four channels, length.
struct ScanItem {
  int chunk;
  int channel;
  int place;
  int tokens;  // 0: none
};

template <class S>
GM_DEVICE ScanItem ItemOfThread(const S& s) {
  ScanItem item;
  item.chunk = s.ctx.Thread() / S::kQuads;
  item.channel = s.ctx.Thread() % S::kQuads * kQuad;
  item.place = item.chunk * (s.line.chunk + 1);
  const int in_line = item.chunk % s.line.chunks;
  item.tokens = Smaller(s.line.chunk, s.line.length - in_line * s.line.chunk);
  if (item.chunk >= s.count * s.line.chunks) item.tokens = 0;
  return item;
}

template <class S>
GM_DEVICE int ValueAt(const S& s, const ScanItem& item, int j) {
  return s.Shared().values + (item.place + j) * S::kPlaceBytes +
         item.channel * S::kBytes;
}

template <class S>
GM_DEVICE int StateAt(int part, int chunk, int channel) {
  return part + (chunk * S::kPadded + channel) * 4;
}

// `delta` receives Delta of each token and channel, in units of ln 2.
template <class S>
GM_DEVICE void ScanLocally(const S& s, float (&delta)[S::kChunk][kQuad]) {
  const ScanItem item = ItemOfThread(s);
  if (item.tokens <= 0) return;
  float weight[S::kRank][kQuad], bias[kQuad], a[kQuad];
  GM_UNROLL
  for (int r = 0; r < S::kRank; ++r) {
    LoadValues<kQuad>(s.ctx, s.Row(DeltaRow(S::kPadded) + r) + item.channel,
                      weight[r]);
  }
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kDeltaBias) + item.channel, bias);
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kA) + item.channel, a);
  float h[kQuad] = {}, sum[kQuad] = {};
  GM_UNROLL
  for (int j = 0; j < S::kChunk; ++j) {
    if (j >= item.tokens) continue;
    float row[S::kRow], u[kQuad];
    LoadSharedValues<S::kRow, float>(
        s.ctx, s.Shared().rows + (item.place + j) * S::kRow * 4, row);
    LoadSharedValues<kQuad, typename S::Value>(s.ctx, ValueAt(s, item, j), u);
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) {
      float x = bias[i];
      GM_UNROLL
      for (int r = 0; r < S::kRank; ++r) x += row[2 + r] * weight[r][i];
      delta[j][i] = S::Math::Softplus2(s.ctx, x);
      sum[i] += delta[j][i];
      h[i] = s.ctx.Exp2(a[i] * delta[j][i]) * h[i] +
             delta[j][i] * (kLn2 * row[0]) * u[i];
    }
  }
  GM_UNROLL
  for (int i = 0; i < kQuad; ++i) sum[i] = s.ctx.Exp2(a[i] * sum[i]);
  StoreSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().decays, item.chunk, item.channel), sum);
  StoreSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().states, item.chunk, item.channel), h);
}

template <class S>
GM_DEVICE void Carry(const S& s) {
  for (int channel = s.ctx.Thread(); channel < S::kPadded;
       channel += s.ctx.Threads()) {
    float h = 0;
    if (s.segment > 0) {
      h = s.ctx.Take(s.Words(s.segment - 1) + channel);
    }
    for (int chunk = 0; chunk < s.count * s.line.chunks; ++chunk) {
      const float decay = s.ctx.template LoadShared<float>(
          StateAt<S>(s.Shared().decays, chunk, channel));
      const float last = s.ctx.template LoadShared<float>(
          StateAt<S>(s.Shared().states, chunk, channel));
      s.ctx.StoreShared(StateAt<S>(s.Shared().states, chunk, channel), h);
      h = decay * h + last;
    }
    if (s.segment + 1 < s.arguments.segments) {
      s.ctx.Publish(s.Words(s.segment) + channel, h);
    }
  }
}

template <class S>
GM_DEVICE void Scan(const S& s, const float (&delta)[S::kChunk][kQuad]) {
  const ScanItem item = ItemOfThread(s);
  if (item.tokens <= 0) return;
  float a[kQuad], d[kQuad], h[kQuad];
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kA) + item.channel, a);
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kD) + item.channel, d);
  LoadSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().states, item.chunk, item.channel), h);
  GM_UNROLL
  for (int j = 0; j < S::kChunk; ++j) {
    if (j >= item.tokens) continue;
    float bc[2], u[kQuad];
    LoadSharedValues<2, float>(
        s.ctx, s.Shared().rows + (item.place + j) * S::kRow * 4, bc);
    LoadSharedValues<kQuad, typename S::Value>(s.ctx, ValueAt(s, item, j), u);
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) {
      h[i] = s.ctx.Exp2(a[i] * delta[j][i]) * h[i] +
             delta[j][i] * (kLn2 * bc[0]) * u[i];
      u[i] = bc[1] * h[i] + d[i] * u[i];
    }
    StoreSharedValues<kQuad, typename S::Value>(s.ctx, ValueAt(s, item, j), u);
  }
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SCAN_H_
