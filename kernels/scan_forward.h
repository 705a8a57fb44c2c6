// The forward scan over any of the SIMD wrappers: kernels/selective_scan.h says
// what it computes, kernels/scan_block.h how its work is cut.

#ifndef GROUPMAMBA_KERNELS_SCAN_FORWARD_H_
#define GROUPMAMBA_KERNELS_SCAN_FORWARD_H_

#include <cstdint>

#include "kernels/scan_block.h"
#include "kernels/scan_variant.h"

namespace groupmamba::kernels {

template <class Simd, int kVectors, bool kPart>
void ForwardBlock(const ScanBlock<Simd, kVectors, kPart>& block,
                  const TokenOrder& order, const ScanInputs& in,
                  const TokenTensor& out) {
  using Block = ScanBlock<Simd, kVectors, kPart>;
  using Vec = typename Block::Vec;
  const ConstTokenTensor us = block.At(in.u);
  const ConstTokenTensor bs = block.AtImage(in.b);
  const ConstTokenTensor cs = block.AtImage(in.c);
  const TokenTensor ys = block.At(out);
  Vec d[kVectors], h[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    d[v] = block.Load(in.d + block.channel(), v);
    h[v] = Simd::Set(0.0f);
  }
  typename Block::Place place(order);
  typename Block::Tile tile;
  while (block.NextTile(&place, &tile)) {
    for (int t = 0; t < tile.count; ++t) {
      const int64_t token = tile.token[t];
      const float* u_row = us.data + token * us.token_stride;
      float* y_row = ys.data + token * ys.token_stride;
      const Vec b = Simd::Set(bs.data[token * bs.token_stride]);
      const Vec c = Simd::Set(cs.data[token * cs.token_stride]);
      for (int v = 0; v < kVectors; ++v) {
        const Vec u = block.Load(u_row, v);
        h[v] = Simd::MulAdd(tile.decay[t][v], h[v], tile.delta[t][v] * (b * u));
        block.Store(y_row, v, Simd::MulAdd(c, h[v], d[v] * u));
      }
    }
  }
}

template <class Simd>
void ScanForward(const ScanShape& shape, const TokenOrder& order,
                 const ScanInputs& in, const TokenTensor& y) {
  for (int64_t image = 0; image < shape.batch; ++image) {
    ForEachBlock<Simd, 4>(shape.channels, [&]<int kVectors, bool kPart>(
                                              int64_t channel, int part) {
      const ScanBlock<Simd, kVectors, kPart> block(in, image, channel, part);
      ForwardBlock(block, order, in, y);
    });
  }
}

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SCAN_FORWARD_H_
