// C = A B + bias, where B is packed once, at load: A and C in fp32, B in fp32
// or bf16, sums in fp32. Plain pointers.
//
// B [k, n] is stored in panels as wide as two vectors, k after k, so that the
// inner loop reads it in order; A is read where it lies. Bias, ReLU and
// residual are applied to a tile while it is in registers.
//
// An element's sum runs over k in ascending order with one fused multiply-add a
// step (the portable version rounds twice), starting from the bias, whatever
// the number of rows, the tile or the range: so its bits depend on its own row
// alone.
//
// Thread-safety: the functions keep no state, allocate nothing and start no
// threads.

#ifndef GROUPMAMBA_KERNELS_MATMUL_H_
#define GROUPMAMBA_KERNELS_MATMUL_H_

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "kernels/isa.h"
#include "kernels/matmul_types.h"

namespace groupmamba::kernels {

// The right operand and its bias, packed for one instruction set. Immutable.
class PackedMatrix {
 public:
  // weight: [n, k] row by row, as the model's files have it (C = A weight^T).
  // bias: [n], or empty: zeros. k and n are at least 1.
  PackedMatrix(Isa isa, Storage storage, int64_t k, int64_t n,
               absl::Span<const float> weight, absl::Span<const float> bias);

  int64_t k() const { return k_; }
  int64_t n() const { return n_; }
  // Columns a panel, in memory and in MatmulRange::n_begin.
  int64_t panel_width() const { return panel_width_; }
  Isa isa() const { return isa_; }
  Storage storage() const { return storage_; }
  int64_t bytes() const { return bytes_; }

  // For Multiply: the panels, `panel_stride` elements each, and the bias,
  // padded to whole panels.
  const void* panels() const { return data_.get(); }
  int64_t panel_stride() const { return panel_stride_; }
  const float* bias() const { return bias_; }

 private:
  struct Free {
    void operator()(void* memory) const;
  };

  // Writes one column, its k values.
  void Pack(const float* values, int64_t column);

  Isa isa_;
  Storage storage_;
  int64_t k_;
  int64_t n_;
  int64_t panel_width_;
  int64_t panel_stride_;
  int64_t bytes_;
  std::unique_ptr<void, Free> data_;
  float* bias_;  // in data_
};

// c: [a.rows, range.n_count], c_stride floats a row, at least n_count.
void Multiply(const MatmulRows& a, const PackedMatrix& b,
              const MatmulRange& range, MatmulStart start,
              const MatmulFinish& finish, float* c, int64_t c_stride);

// The whole product: c = a b + bias, then `finish`.
void Multiply(const MatmulRows& a, const PackedMatrix& b,
              const MatmulFinish& finish, float* c, int64_t c_stride);

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_MATMUL_H_
