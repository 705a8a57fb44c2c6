// The operands of a matrix product (kernels/matmul.h), apart from the functions
// for the reason that kernels/scan_types.h gives.

#ifndef GROUPMAMBA_KERNELS_MATMUL_TYPES_H_
#define GROUPMAMBA_KERNELS_MATMUL_TYPES_H_

#include <cstdint>

namespace groupmamba::kernels {

// The left operand A [rows, k], in place: a matrix, or the windows of a
// convolution over a channel-last picture.
//
// Row m begins at data + (m / line_rows) * line_stride + (m % line_rows) *
// stride. Its k values come in `segments` runs of k / segments adjacent values,
// one run each segment_stride. So a matrix has one segment, and a 3x3
// convolution over a picture [height, width, channels] that is already padded
// has stride = step * channels, line_rows = the output's width, line_stride =
// step * width * channels, and three segments of 3 * channels, each width *
// channels apart.
struct MatmulRows {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t stride = 0;
  int64_t line_rows = INT64_MAX;
  int64_t line_stride = 0;
  int64_t segments = 1;
  int64_t segment_stride = 0;
};

// How a packed matrix is stored, and with it how a product rounds its operands.
enum class Storage {
  kFp32,
  kBf16,  // both operands are rounded to bf16, to the nearest, ties to even
};

// A part of the right operand; by default all of it. A sum over k that is cut
// into ranges, each continuing from the last one's result, has the same bits as
// the whole.
struct MatmulRange {
  int64_t k_begin = 0;   // even where the matrix is stored as bf16
  int64_t k_count = -1;  // -1: all from k_begin; must be all with segments > 1
  int64_t n_begin = 0;   // a multiple of PackedMatrix::panel_width()
  int64_t n_count = -1;  // -1: all from n_begin
};

enum class MatmulStart {
  kBias,      // C = bias + A B
  kContinue,  // C = C + A B
};

// What becomes of a sum before it is stored.
struct MatmulFinish {
  bool relu = false;
  // Added last where not null: [rows, n], `residual_stride` floats a row. May
  // be C itself.
  const float* residual = nullptr;
  int64_t residual_stride = 0;
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_MATMUL_TYPES_H_
