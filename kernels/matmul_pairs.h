// The matrix product with both operands rounded to bf16 and sums in fp32, over
// any of the SIMD wrappers. kernels/matmul.h says what it computes.
//
// B is stored as pairs: for two adjacent k, panel_width times the two values of
// a column. So a vector register holds both values of each of its columns, as
// the processors' bf16 dot product wants them (VDPBF16PS: sum + odd product,
// then + even product). `Dot` is that instruction, or the same with two
// multiply-adds.
//
// A tile's rows of A are rounded into a buffer once, then meet all the panels.
// Sums begin with the bias and are stored between stretches of k.

#ifndef GROUPMAMBA_KERNELS_MATMUL_PAIRS_H_
#define GROUPMAMBA_KERNELS_MATMUL_PAIRS_H_

#include <cstdint>

#include "kernels/matmul_tiles.h"
#include "kernels/matmul_variant.h"

namespace groupmamba::kernels {

// Dot:
//   Element               what a rounded value of A is kept as
//   Round(from, n, to)    rounds n floats, to the nearest, ties to even; may
//                         write zeros up to a multiple of kRoundedAtOnce
//   Columns, Load(pairs)  one vector's columns of a pair of k
//   Add(a, columns, sum)  sum + a[1] * odd + a[0] * even
template <class Simd, class Dot, int kTileRows>
struct MatmulPairs {
  using Vec = typename Simd::Vec;
  using Element = typename Dot::Element;
  using Tiles = MatmulTiles<Simd, kTileRows>;
  using Tile = typename Tiles::Tile;
  static constexpr int kLanes = Simd::kLanes;
  static constexpr int kPanel = Tiles::kPanel;
  // k of one stretch: a tile's rounded rows fill most of the first-level cache.
  static constexpr int kStretch = 512;
  using Rows = Element[kStretch + Dot::kRoundedAtOnce - 1];

  struct Stretch {
    int64_t begin;  // k
    int64_t pairs;
    bool first;
    bool last;
  };

  static void Multiply(const MatmulJob& job) {
    const int64_t k = job.segment_k * job.a.segments;
    const int64_t tiles = (job.a.rows + kTileRows - 1) / kTileRows;
    const int64_t height = job.a.rows / tiles;
    const int64_t higher = job.a.rows % tiles;  // so many have a row more
    for (int64_t begin = 0; begin < k; begin += kStretch) {
      const int64_t count = k - begin < kStretch ? k - begin : kStretch;
      const Stretch stretch = {begin, (count + 1) / 2, begin == 0,
                               begin + count == k};
      int64_t row = 0;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t rows = height + (t < higher ? 1 : 0);
        RunOfHeight<kTileRows>(job, stretch, count, row, rows);
        row += rows;
      }
    }
  }

  template <int kRows>
  static void RunOfHeight(const MatmulJob& job, const Stretch& stretch,
                          int64_t count, int64_t row, int64_t rows) {
    if constexpr (kRows > 1) {
      if (rows < kRows) {
        return RunOfHeight<kRows - 1>(job, stretch, count, row, rows);
      }
    }
    RunRows<kRows>(job, stretch, count, row);
  }

  template <int kRows>
  static void RunRows(const MatmulJob& job, const Stretch& stretch,
                      int64_t count, int64_t row) {
    alignas(64) Rows a[kRows];
    const float* from[kRows];
    Tiles::template FindRows<kRows>(job.a, row, from);
    for (int r = 0; r < kRows; ++r) {
      Gather(job, from[r], stretch.begin, count, a[r]);
    }
    // A stretch's first pair: two k for each of a panel's columns.
    const uint16_t* b =
        static_cast<const uint16_t*>(job.b) + stretch.begin * kPanel;
    for (int64_t n = 0; n < job.columns; n += kPanel, b += job.panel_stride) {
      Tile tile;
      tile.row = row;
      tile.b = nullptr;
      tile.bias = stretch.first && job.bias ? job.bias + n : nullptr;
      tile.c = job.c + row * job.c_stride + n;
      tile.residual =
          stretch.last && job.finish.residual
              ? job.finish.residual + row * job.finish.residual_stride + n
              : nullptr;
      tile.columns = job.columns - n < kPanel ? job.columns - n : kPanel;
      tile.relu = stretch.last && job.finish.relu;
      RunTile<kRows>(job, stretch, tile, a, b);
    }
  }

  template <int kRows>
  static void RunTile(const MatmulJob& job, const Stretch& stretch,
                      const Tile& tile, const Rows (&a)[kRows],
                      const uint16_t* b) {
    Vec sum[kRows][2];
    Tiles::template Begin<kRows>(job, tile, sum);
    for (int64_t pair = 0; pair < stretch.pairs; ++pair, b += 2 * kPanel) {
      const typename Dot::Columns b0 = Dot::Load(b);
      const typename Dot::Columns b1 = Dot::Load(b + 2 * kLanes);
      for (int r = 0; r < kRows; ++r) {
        const Element* const values = a[r] + 2 * pair;
        sum[r][0] = Dot::Add(values, b0, sum[r][0]);
        sum[r][1] = Dot::Add(values, b1, sum[r][1]);
      }
    }
    Tiles::template End<kRows>(job, tile, sum);
  }

  // Rounds the row's k from `begin` on; where their count is odd, a 0 follows.
  static void Gather(const MatmulJob& job, const float* row, int64_t begin,
                     int64_t count, Element* to) {
    int64_t segment = begin / job.segment_k;
    int64_t at = begin % job.segment_k;
    int64_t done = 0;
    while (done < count) {
      const int64_t left = job.segment_k - at;
      const int64_t n = count - done < left ? count - done : left;
      Dot::Round(row + segment * job.a.segment_stride + at, n, to + done);
      done += n;
      at = 0;
      ++segment;
    }
    if (count % 2 != 0) to[count] = Element{};
  }
};

// A float rounded to bf16, to the nearest, ties to even, as the upper half of a
// float's bits. NaN stays NaN, made quiet.
[[gnu::always_inline]] inline uint32_t RoundedBits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  const bool nan = (bits & 0x7fffffff) > 0x7f800000;
  return (nan ? bits | 0x400000 : rounded) & 0xffff0000;
}

// For processors without the instruction: A's values stay floats, rounded, and
// B's are widened by shifting.
template <class Simd>
struct EmulatedDot {
  using Vec = typename Simd::Vec;
  using Element = float;
  static constexpr int kRoundedAtOnce = 1;
  struct Columns {
    Vec even;
    Vec odd;
  };

  static void Round(const float* from, int64_t count, float* to) {
    for (int64_t i = 0; i < count; ++i) {
      const uint32_t bits = RoundedBits(from[i]);
      __builtin_memcpy(to + i, &bits, sizeof(bits));
    }
  }
  static Columns Load(const uint16_t* pairs) {
    return {Simd::LoadLowHalves(pairs), Simd::LoadHighHalves(pairs)};
  }
  static Vec Add(const float* a, const Columns& b, Vec sum) {
    return Simd::MulAdd(Simd::Set(a[0]), b.even,
                        Simd::MulAdd(Simd::Set(a[1]), b.odd, sum));
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_MATMUL_PAIRS_H_
