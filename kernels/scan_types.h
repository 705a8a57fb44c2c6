// The sizes and tensors of a selective scan (kernels/selective_scan.h), apart
// from the functions so that the files compiled for one instruction set see no
// library code: an inline function compiled there could be the copy that the
// linker keeps.

#ifndef GROUPMAMBA_KERNELS_SCAN_TYPES_H_
#define GROUPMAMBA_KERNELS_SCAN_TYPES_H_

#include <cstdint>

namespace groupmamba::kernels {

// The order in which a scan visits the tokens.
enum class Direction {
  kLeftRight,  // row by row, as in memory
  kRightLeft,  // the reverse of it
  kTopBottom,  // column by column
  kBottomTop,  // the reverse of it
};

// Sizes, each at least 1. Channels need not fill vectors.
struct ScanShape {
  int64_t batch = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
};

// An fp32 tensor [batch, token, channel] whose channels are adjacent. Strides
// are in elements. A tensor without a channel axis ([batch, token]) uses it
// too.
struct TokenTensor {
  float* data = nullptr;
  int64_t image_stride = 0;
  int64_t token_stride = 0;
};
struct ConstTokenTensor {
  const float* data = nullptr;
  int64_t image_stride = 0;
  int64_t token_stride = 0;
};

struct ScanInputs {
  ConstTokenTensor u;      // [batch, token, channel]
  ConstTokenTensor delta;  // [batch, token, channel], before bias and softplus
  ConstTokenTensor b;      // [batch, token]
  ConstTokenTensor c;      // [batch, token]
  const float* a = nullptr;           // [channel], negative
  const float* d = nullptr;           // [channel]
  const float* delta_bias = nullptr;  // [channel]
};

// Gradients of a loss by the scan's inputs, given dy. All are overwritten.
struct ScanGradients {
  TokenTensor du;                // [batch, token, channel]
  TokenTensor ddelta;            // [batch, token, channel]
  TokenTensor db;                // [batch, token]
  TokenTensor dc;                // [batch, token]
  float* da = nullptr;           // [channel]
  float* dd = nullptr;           // [channel]
  float* ddelta_bias = nullptr;  // [channel]
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SCAN_TYPES_H_
