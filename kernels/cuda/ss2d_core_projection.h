// Products of each token's channels with rows of the parameters, over the lanes
// of a token. S: an Ss2dSegment.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_PROJECTION_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_PROJECTION_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_core_segment.h"

namespace groupmamba::cuda {

template <int kRows, class S>
GM_DEVICE void ProjectToken(const S& s, const float (&weight)[kRows][kOctet],
                            int place, bool valid, int lane,
                            float (&sums)[kRows]) {
  float u[kOctet] = {};
  if (valid && lane < S::kOctets) {
    LoadSharedValues<kOctet, typename S::Value>(
        s.ctx,
        s.Shared().values + place * S::kPlaceBytes + lane * kOctet * S::kBytes,
        u);
  }
  GM_UNROLL
  for (int r = 0; r < kRows; ++r) {
    sums[r] = 0;
    GM_UNROLL
    for (int i = 0; i < kOctet; ++i) sums[r] += u[i] * weight[r][i];
    sums[r] = SumOverLanes<S::kLanes>(s.ctx, sums[r]);
  }
}

// Of the shared values of each place with kRows rows of the parameters from
// kFirstRow on: sink.Take(place, sums), by one lane.
template <int kFirstRow, int kRows, class S, class Sink>
GM_DEVICE void Project(const S& s, const Sink& sink) {
  const int lane = s.ctx.Thread() % S::kLanes;
  float weight[kRows][kOctet];
  GM_UNROLL
  for (int r = 0; r < kRows; ++r) {
    GM_UNROLL
    for (int i = 0; i < kOctet; ++i) weight[r][i] = 0;
    if (lane < S::kOctets) {
      LoadValues<kOctet>(s.ctx, s.Row(kFirstRow + r) + lane * kOctet,
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
    float sums[kRows];
    ProjectToken(s, weight, place, token < tokens, lane, sums);
    if (token < tokens && lane == 0) sink.Take(place, sums);
  }
}

// Takes a token's b, c and r.
template <class S>
struct ToRows {
  GM_DEVICE void Take(int place, const float (&sums)[S::kRank + 2]) const {
    float row[S::kRow];
    GM_UNROLL
    for (int r = 0; r < S::kRow; ++r) {
      row[r] = r < S::kRank + 2 ? sums[r < S::kRank + 2 ? r : 0] : 0.0f;
    }
    StoreSharedValues<S::kRow, float>(
        s.ctx, s.Shared().rows + place * S::kRow * 4, row);
  }
  const S& s;
};

// b, c and r of every token.
template <class S>
GM_DEVICE void ProjectU(const S& s) {
  Project<Ss2dRows::kB, S::kRank + 2>(s, ToRows<S>{s});
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_PROJECTION_H_
