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
  item.chunk = s.ctx.Thread() / S::kScanLanes;
  item.channel = s.ctx.Thread() % S::kScanLanes * kQuad;
  item.place = item.chunk * (s.line.chunk + 1);
  const int in_line = item.chunk % s.line.chunks;
  item.tokens = Smaller(s.line.chunk, s.line.length - in_line * s.line.chunk);
  if (item.chunk >= s.count * s.line.chunks || item.channel >= S::kPadded) {
    item.tokens = 0;
  }
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

// What Delta is made of, and the decay: the parameters of four channels.
template <class S>
struct Rates {
  GM_DEVICE Rates(const S& s, int channel) {
    GM_UNROLL
    for (int r = 0; r < S::kRank; ++r) {
      LoadValues<kQuad>(s.ctx, s.Row(DeltaRow(S::kPadded) + r) + channel,
                        weight[r]);
    }
    LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kDeltaBias) + channel, bias);
    LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kA) + channel, a);
  }
  // In units of ln 2.
  GM_DEVICE float Delta(const S& s, const float (&row)[S::kRow], int i) const {
    float x = bias[i];
    GM_UNROLL
    for (int r = 0; r < S::kRank; ++r) x += row[2 + r] * weight[r][i];
    return S::Math::Softplus2(s.ctx, x);
  }

  float weight[S::kRank][kQuad], bias[kQuad], a[kQuad];
};

// `delta` receives Delta of each token and channel, in units of ln 2.
template <class S>
GM_DEVICE void ScanLocally(const S& s, float (&delta)[S::kChunk][kQuad]) {
  const ScanItem item = ItemOfThread(s);
  if (item.tokens <= 0) return;
  const Rates<S> rates(s, item.channel);
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
      delta[j][i] = rates.Delta(s, row, i);
      sum[i] += delta[j][i];
      h[i] = s.ctx.Exp2(rates.a[i] * delta[j][i]) * h[i] +
             delta[j][i] * (kLn2 * row[0]) * u[i];
    }
  }
  GM_UNROLL
  for (int i = 0; i < kQuad; ++i) sum[i] = s.ctx.Exp2(rates.a[i] * sum[i]);
  StoreSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().decays, item.chunk, item.channel), sum);
  StoreSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().states, item.chunk, item.channel), h);
}

// Leaves a chunk the state that comes to it; returns the one that it hands on.
template <class S>
GM_DEVICE float PassChunk(const S& s, int chunk, int channel, float state) {
  const int at = StateAt<S>(s.Shared().states, chunk, channel);
  const auto decay = s.ctx.template LoadShared<float>(
      StateAt<S>(s.Shared().decays, chunk, channel));
  const auto own = s.ctx.template LoadShared<float>(at);
  s.ctx.StoreShared(at, state);
  return decay * state + own;
}

template <class S>
GM_DEVICE void Carry(const S& s) {
  for (int channel = s.ctx.Thread(); channel < S::kPadded;
       channel += s.ctx.Threads()) {
    float h = 0;
    if (s.segment > 0) {
      h = s.ctx.Take(s.Words(s.segment - 1, S::kPadded) + channel);
    }
    for (int chunk = 0; chunk < s.count * s.line.chunks; ++chunk) {
      h = PassChunk(s, chunk, channel, h);
    }
    if (s.segment + 1 < s.arguments.segments) {
      s.ctx.Publish(s.Words(s.segment, S::kPadded) + channel, h);
    }
  }
}

// Saves the states of an item that the backward pass begins its chunks with.
template <class S>
struct SavedStates {
  GM_DEVICE SavedStates(const S& s, const ScanItem& item) {
    if (s.arguments.states == nullptr) return;
    const Lines saved(s.line.length, kBackwardChunk);
    const int line = item.chunk / s.line.chunks;
    const int first = item.chunk % s.line.chunks * s.line.chunk;
    const int chunk = CeilDivide(first, saved.chunk);
    next = chunk * saved.chunk - first;
    step = saved.chunk;
    to = s.State(s.first + line, chunk) + item.channel;
  }
  // The state before the item's token j.
  GM_DEVICE void Take(const S& s, int j, const float (&h)[kQuad]) {
    if (j != next) return;
    StoreValues<kQuad>(s.ctx, to, h);
    to += S::kPadded;
    next += step;
  }

  int next = -1;
  int step = 0;
  float* to = nullptr;
};

template <class S>
GM_DEVICE void Scan(const S& s, const float (&delta)[S::kChunk][kQuad]) {
  const ScanItem item = ItemOfThread(s);
  if (item.tokens <= 0) return;
  float a[kQuad], d[kQuad], h[kQuad];
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kA) + item.channel, a);
  LoadValues<kQuad>(s.ctx, s.Row(Ss2dRows::kD) + item.channel, d);
  LoadSharedValues<kQuad, float>(
      s.ctx, StateAt<S>(s.Shared().states, item.chunk, item.channel), h);
  SavedStates<S> saved(s, item);
  GM_UNROLL
  for (int j = 0; j < S::kChunk; ++j) {
    if (j >= item.tokens) continue;
    saved.Take(s, j, h);
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
