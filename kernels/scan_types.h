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

// A tensor [batch, token, channel] whose channels are adjacent. Strides are in
// elements. A tensor without a channel axis ([batch, token]) uses it too.
template <class Scalar>
struct BasicTokenTensor {
  Scalar* data = nullptr;
  int64_t image_stride = 0;
  int64_t token_stride = 0;
};
using TokenTensor = BasicTokenTensor<float>;
using ConstTokenTensor = BasicTokenTensor<const float>;

template <class Scalar>
struct BasicScanInputs {
  using Tensor = BasicTokenTensor<const Scalar>;

  Tensor u;      // [batch, token, channel]
  Tensor delta;  // [batch, token, channel], before bias and softplus
  Tensor b;      // [batch, token]
  Tensor c;      // [batch, token]
  const Scalar* a = nullptr;           // [channel], negative
  const Scalar* d = nullptr;           // [channel]
  const Scalar* delta_bias = nullptr;  // [channel]
};
using ScanInputs = BasicScanInputs<float>;

// Gradients of a loss by the scan's inputs, given dy. All are overwritten.
template <class Scalar>
struct BasicScanGradients {
  using Tensor = BasicTokenTensor<Scalar>;

  Tensor du;                      // [batch, token, channel]
  Tensor ddelta;                  // [batch, token, channel]
  Tensor db;                      // [batch, token]
  Tensor dc;                      // [batch, token]
  Scalar* da = nullptr;           // [channel]
  Scalar* dd = nullptr;           // [channel]
  Scalar* ddelta_bias = nullptr;  // [channel]
};
using ScanGradients = BasicScanGradients<float>;

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SCAN_TYPES_H_
