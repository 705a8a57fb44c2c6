// The sizes and tensors of the SS2D core (kernels/ss2d_core.h), apart from the
// functions: kernels/scan_types.h says why.

#ifndef GROUPMAMBA_KERNELS_SS2D_TYPES_H_
#define GROUPMAMBA_KERNELS_SS2D_TYPES_H_

#include <cstdint>

#include "kernels/scan_types.h"

namespace groupmamba::kernels {

// One channel group of one picture. Sizes, each at least 1.
struct Ss2dShape {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;  // d
  int64_t rank = 0;      // of Delta, R
  Direction direction = Direction::kLeftRight;
};

// The parameters as the state dict has them; with T const, or their gradients.
template <class T>
struct Ss2dTensors {
  T* convolution_weight = nullptr;  // [d][1][3][3]
  T* convolution_bias = nullptr;    // [d]
  T* x_proj_weight = nullptr;       // [R + 2][d]: r, b, c
  T* dt_projs_weight = nullptr;     // [d][R]
  T* dt_projs_bias = nullptr;       // [d]
  T* a_logs = nullptr;              // [d]
  T* ds = nullptr;                  // [d]
  T* out_norm_weight = nullptr;     // [d]
  T* out_norm_bias = nullptr;       // [d]
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SS2D_TYPES_H_
