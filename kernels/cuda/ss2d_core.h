// The SS2D core on a GPU: everything between in_proj and out_proj of the four
// channel groups, each in a direction of its own, in one launch.
//
// For a group of d channels, its tokens t in the order of the group's
// direction, and x, z the two halves of in_proj's output:
//
//   u          = silu(depthwise3x3(x))
//   r, b, c    = u W_x
//   Delta_t    = softplus(r_t W_dt + bias)
//   h_t        = exp(Delta_t a) h_(t-1) + Delta_t b_t u_t        h_(-1) = 0
//   out        = layer_norm(c_t h_t + d u_t) * silu(z_t)
//
// (model/ss2d.h; the scan is kernels/selective_scan.h's.) Directions are index
// arithmetic: memory is row-major by token whatever the direction.
//
// Groups are padded to a width that vector accesses divide (PaddedGroupWidth):
// with zeros, in the input as in the parameters, and the output's padding is
// zero.
//
// Thread-safety: any thread; calls that share scratch must be on one stream.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/launch.h"
#include "kernels/scan_types.h"

namespace groupmamba::cuda {

inline constexpr int kGroups = 4;

// Sizes, each at least 1.
struct Ss2dShape {
  int batch = 0;
  int height = 0;
  int width = 0;
  int group_width = 0;  // d, the true width: at most 128
  int rank = 0;         // of Delta, R: at most ceil(PaddedGroupWidth(d) / 16)
  kernels::Direction directions[kGroups] = {};
};

// The width that a group of `group_width` channels is stored with, and the rank
// that it is computed with; 0 where the kernels are not made for the width.
int PaddedGroupWidth(int group_width);
int PaddedRank(int padded_width);

// The parameters of the four groups, fp32: [group][row][padded width], the rows
// in this order. Vectors and matrices are zero where padded.
struct Ss2dRows {
  static constexpr int kConvolution = 0;  // 9, tap (row * 3 + column)
  static constexpr int kConvolutionBias = 9;
  static constexpr int kDeltaBias = 10;
  static constexpr int kA = 11;  // -exp(A_logs)
  static constexpr int kD = 12;
  static constexpr int kNormWeight = 13;
  static constexpr int kNormBias = 14;
  static constexpr int kB = 15;     // x_proj's row of b, then that of c,
  static constexpr int kC = 16;     // then those of r
  static constexpr int kRank = 17;  // PaddedRank rows; dt_projs' columns follow
};

// One group's parameters as the state dict has them.
struct Ss2dParameters {
  const float* convolution_weight;  // [d][1][3][3]
  const float* convolution_bias;    // [d]
  const float* x_proj_weight;       // [R + 2][d]: r, b, c
  const float* dt_projs_weight;     // [d][R]
  const float* dt_projs_bias;       // [d]
  const float* a_logs;              // [d]
  const float* ds;                  // [d]
  const float* out_norm_weight;     // [d]
  const float* out_norm_bias;       // [d]
};

// Floats of the packed parameters of the four groups.
size_t PackedSs2dFloats(const Ss2dShape& shape);

// Writes group `group`'s part of them, in host memory.
void PackSs2dParameters(const Ss2dShape& shape, int group,
                        const Ss2dParameters& from, float* packed);

// How a launch cuts the work: a block has one image's group and one segment of
// its sequence, whole lines (rows or columns, as the direction goes). The
// answer does not depend on it, to the bit.
struct Ss2dPlan {
  int segments = 0;  // 0: the shape is not supported
  int threads = 0;
  int shared_bytes = 0;
  int blocks = 0;
};

// `segments` 0: chosen, with at least `min_blocks` blocks where the lines
// suffice (a GPU's number of multiprocessors keeps it busy).
Ss2dPlan PlanSs2d(const Ss2dShape& shape, Storage storage, int segments = 0,
                  int min_blocks = 1);

// Floats of the states that a launch saves for the backward pass
// (ss2d_backward.h).
size_t Ss2dStateFloats(const Ss2dShape& shape);

// Device memory that a launch needs, zero before the first one; every launch
// that completes leaves it zero.
size_t Ss2dScratchBytes(const Ss2dShape& shape, const Ss2dPlan& plan);

// `xz` [group][batch][token][2 * padded]: x, then z; as a batched product, one
// a group, leaves it. `out` [group][batch][token][padded]. Both device memory
// in `storage`, aligned to 16 bytes, as are `parameters` and `scratch`.
// `epsilon` is out_norm's. `states` receives Ss2dStateFloats; null: none.
LaunchError LaunchSs2dCore(const Ss2dShape& shape, const Ss2dPlan& plan,
                           Storage storage, float epsilon, const void* xz,
                           const float* parameters, void* scratch, void* out,
                           float* states, CUstream_st* stream);

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_H_
