// The matrix product over any of the SIMD wrappers: kernels/matmul.h says what
// it computes.
//
// A tile is kTileRows rows by two vectors of C, held in registers while k runs:
// for each k two loads of B, a broadcast of each row's value of A, and two
// multiply-adds a row. With 6 x 2 of AVX2's sixteen registers, or 12 x 2 of
// AVX-512's thirty-two, the multiply-add units are busy all the time and B
// comes from the first-level cache, where a panel stays for all the tiles below
// it.

#ifndef GROUPMAMBA_KERNELS_MATMUL_TILES_H_
#define GROUPMAMBA_KERNELS_MATMUL_TILES_H_

#include <cstdint>

#include "kernels/matmul_variant.h"

namespace groupmamba::kernels {

template <class Simd, int kTileRows>
struct MatmulTiles {
  using Vec = typename Simd::Vec;
  static constexpr int kLanes = Simd::kLanes;
  static constexpr int kPanel = 2 * kLanes;

  // Rows of A from `row` on, and where their part of C is.
  struct Tile {
    int64_t row;
    const float* b;
    const float* bias;  // null: continue
    float* c;
    const float* residual;  // null: none
    int64_t columns;        // of the panel that exist, up to kPanel
    bool relu;
  };

  static void Multiply(const MatmulJob& job) {
    // Tiles of equal height, give or take one row: a last tile of one row would
    // leave the units waiting.
    const int64_t tiles = (job.a.rows + kTileRows - 1) / kTileRows;
    const int64_t height = job.a.rows / tiles;
    const int64_t higher = job.a.rows % tiles;  // so many have a row more
    const auto* b = static_cast<const float*>(job.b);
    for (int64_t n = 0; n < job.columns; n += kPanel, b += job.panel_stride) {
      Tile tile;
      tile.b = b;
      tile.bias = job.bias ? job.bias + n : nullptr;
      tile.columns = job.columns - n < kPanel ? job.columns - n : kPanel;
      tile.relu = job.finish.relu;
      tile.row = 0;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t rows = height + (t < higher ? 1 : 0);
        tile.c = job.c + tile.row * job.c_stride + n;
        tile.residual = job.finish.residual
                            ? job.finish.residual +
                                  tile.row * job.finish.residual_stride + n
                            : nullptr;
        RunOfHeight<kTileRows>(job, tile, rows);
        tile.row += rows;
      }
    }
  }

  template <int kRows>
  static void RunOfHeight(const MatmulJob& job, const Tile& tile,
                          int64_t rows) {
    if constexpr (kRows > 1) {
      if (rows < kRows) return RunOfHeight<kRows - 1>(job, tile, rows);
    }
    Run<kRows>(job, tile);
  }

  // Where the rows from `row` on begin. Divisions cost as much as a short k, so
  // a matrix does without, and a picture needs them once a tile.
  template <int kRows>
  static void FindRows(const MatmulRows& a, int64_t row,
                       const float* (&at)[kRows]) {
    if (a.rows <= a.line_rows) {
      for (int r = 0; r < kRows; ++r) at[r] = a.data + (row + r) * a.stride;
      return;
    }
    const float* line = a.data + row / a.line_rows * a.line_stride;
    int64_t column = row % a.line_rows;
    for (int r = 0; r < kRows; ++r, ++column) {
      if (column == a.line_rows) {
        column = 0;
        line += a.line_stride;
      }
      at[r] = line + column * a.stride;
    }
  }

  template <int kRows>
  static void Run(const MatmulJob& job, const Tile& tile) {
    const float* a[kRows];
    FindRows<kRows>(job.a, tile.row, a);
    Vec sum[kRows][2];
    Begin<kRows>(job, tile, sum);
    const float* b = tile.b;
    const int64_t count = job.segment_k;
    for (int64_t segment = 0; segment < job.a.segments; ++segment) {
      for (int64_t k = 0; k < count; ++k, b += kPanel) {
        const Vec b0 = Simd::Load(b);
        const Vec b1 = Simd::Load(b + kLanes);
        for (int r = 0; r < kRows; ++r) {
          const Vec value = Simd::Set(a[r][k]);
          sum[r][0] = Simd::MulAdd(value, b0, sum[r][0]);
          sum[r][1] = Simd::MulAdd(value, b1, sum[r][1]);
        }
      }
      for (int r = 0; r < kRows; ++r) a[r] += job.a.segment_stride;
    }
    End<kRows>(job, tile, sum);
  }

  // The usual tile is whole and has no finish: its loops are short enough for
  // the compiler to unroll, so that sums begin and end in registers.
  template <int kRows>
  static void Begin(const MatmulJob& job, const Tile& tile,
                    Vec (&sum)[kRows][2]) {
    if (tile.bias) {
      const Vec bias[2] = {Simd::Load(tile.bias),
                           Simd::Load(tile.bias + kLanes)};
      for (int r = 0; r < kRows; ++r) {
        sum[r][0] = bias[0];
        sum[r][1] = bias[1];
      }
    } else if (tile.columns == kPanel) {
      const float* c = tile.c;
      for (int r = 0; r < kRows; ++r, c += job.c_stride) {
        sum[r][0] = Simd::Load(c);
        sum[r][1] = Simd::Load(c + kLanes);
      }
    } else {
      for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < 2; ++v) {
          sum[r][v] = LoadColumns(tile.c + r * job.c_stride + v * kLanes,
                                  tile.columns - v * kLanes);
        }
      }
    }
  }

  template <int kRows>
  static void End(const MatmulJob& job, const Tile& tile,
                  const Vec (&sum)[kRows][2]) {
    if (tile.columns == kPanel && !tile.relu && !tile.residual) {
      float* c = tile.c;
      for (int r = 0; r < kRows; ++r, c += job.c_stride) {
        Simd::Store(c, sum[r][0]);
        Simd::Store(c + kLanes, sum[r][1]);
      }
      return;
    }
    Finish<kRows>(job, tile, sum);
  }

  template <int kRows>
  [[gnu::noinline]] static void Finish(const MatmulJob& job, const Tile& tile,
                                       const Vec (&sum)[kRows][2]) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < 2; ++v) {
        const int64_t columns = tile.columns - v * kLanes;
        Vec x = sum[r][v];
        if (tile.relu) x = Simd::Max(0.0f, x);
        if (tile.residual) {
          x = x + LoadColumns(tile.residual + r * job.finish.residual_stride +
                                  v * kLanes,
                              columns);
        }
        StoreColumns(tile.c + r * job.c_stride + v * kLanes, x, columns);
      }
    }
  }

  // Of a vector the first `columns`, where there are any.
  static Vec LoadColumns(const float* from, int64_t columns) {
    if (columns >= kLanes) return Simd::Load(from);
    if (columns <= 0) return Simd::Set(0.0f);
    return Simd::LoadPart(from, static_cast<int>(columns));
  }
  static void StoreColumns(float* to, Vec x, int64_t columns) {
    if (columns >= kLanes) return Simd::Store(to, x);
    if (columns > 0) Simd::StorePart(to, x, static_cast<int>(columns));
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_MATMUL_TILES_H_
