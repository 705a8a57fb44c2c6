// The forward scan over any of the SIMD wrappers: kernels/selective_scan.h says
// what it computes, kernels/scan_block.h how its work is cut.

#ifndef GROUPMAMBA_KERNELS_SCAN_FORWARD_H_
#define GROUPMAMBA_KERNELS_SCAN_FORWARD_H_

#include <cstdint>

#include "kernels/scan_block.h"
#include "kernels/scan_variant.h"

namespace groupmamba::kernels {

// `states` [channel] holds h before the first step and, afterwards, h after the
// last; null: it begins with 0 and is forgotten.
template <class Simd, int kVectors, bool kPart, class Scalar>
void ForwardBlock(const ScanBlock<Simd, kVectors, kPart>& block,
                  const TokenOrder& order, const BasicScanInputs<Scalar>& in,
                  const BasicTokenTensor<Scalar>& out, Scalar* states) {
  using Block = ScanBlock<Simd, kVectors, kPart>;
  using Vec = typename Block::Vec;
  const auto us = block.At(in.u);
  const auto bs = block.AtImage(in.b);
  const auto cs = block.AtImage(in.c);
  const auto ys = block.At(out);
  Vec d[kVectors], h[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    d[v] = block.Load(in.d + block.channel(), v);
    h[v] =
        states ? block.Load(states + block.channel(), v) : Simd::Set(Scalar{0});
  }
  typename Block::Place place(order);
  typename Block::Tile tile;
  while (block.NextTile(&place, &tile)) {
    for (int t = 0; t < tile.count; ++t) {
      const int64_t token = tile.token[t];
      const Scalar* u_row = us.data + token * us.token_stride;
      Scalar* y_row = ys.data + token * ys.token_stride;
      const Vec b = Simd::Set(bs.data[token * bs.token_stride]);
      const Vec c = Simd::Set(cs.data[token * cs.token_stride]);
      for (int v = 0; v < kVectors; ++v) {
        const Vec u = block.Load(u_row, v);
        h[v] = Simd::MulAdd(tile.decay[t][v], h[v], tile.delta[t][v] * (b * u));
        block.Store(y_row, v, Simd::MulAdd(c, h[v], d[v] * u));
      }
    }
  }
  if (!states) return;
  for (int v = 0; v < kVectors; ++v) {
    block.Store(states + block.channel(), v, h[v]);
  }
}

// One image; `states` as above.
template <class Simd, class Scalar>
void ScanForwardImage(int64_t image, int64_t channels, const TokenOrder& order,
                      const BasicScanInputs<Scalar>& in,
                      const BasicTokenTensor<Scalar>& y, Scalar* states) {
  ForEachBlock<Simd, 4>(
      channels, [&]<int kVectors, bool kPart>(int64_t channel, int part) {
        const ScanBlock<Simd, kVectors, kPart> block(in, image, channel, part);
        ForwardBlock(block, order, in, y, states);
      });
}

template <class Simd, class Scalar>
void ScanForward(const ScanShape& shape, const TokenOrder& order,
                 const BasicScanInputs<Scalar>& in,
                 const BasicTokenTensor<Scalar>& y) {
  for (int64_t image = 0; image < shape.batch; ++image) {
    ScanForwardImage<Simd, Scalar>(image, shape.channels, order, in, y,
                                   nullptr);
  }
}

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SCAN_FORWARD_H_
