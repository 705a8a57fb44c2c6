// The selective scan (S6 with one state a channel) over a picture's tokens, in
// any of the four directions, forward and backward. Plain pointers, shapes and
// strides.
//
// For image n, channel c and the tokens t in the order of the direction:
//
//   Delta_t = softplus(delta_t + delta_bias_c)
//   h_t     = exp(Delta_t a_c) h_(t-1) + Delta_t b_t u_t          h_(-1) = 0
//   y_t     = c_t h_t + d_c u_t
//
// with Delta, b and c depending on the input (zero-order hold; Gu and Dao,
// Mamba, arXiv:2312.00752, equations 2 and 4 with N = 1; Euler step for b as in
// its code). fp32, but for two functions at the end.
//
// Directions are index arithmetic: tensors stay row-major by token
// (token = row * width + column) whatever the direction, and nothing is copied.
//
// Thread-safety: the functions keep no state and start no threads; calls on
// different outputs may run at once.

#ifndef GROUPMAMBA_KERNELS_SELECTIVE_SCAN_H_
#define GROUPMAMBA_KERNELS_SELECTIVE_SCAN_H_

#include "kernels/isa.h"
#include "kernels/scan_types.h"

namespace groupmamba::kernels {

// y [batch, token, channel]; may not overlap an input. The answer for an image
// does not depend on its place in the batch, to the bit.
void SelectiveScan(const ScanShape& shape, Direction direction,
                   const ScanInputs& in, const TokenTensor& y);

// With the implementation named; it must be in SupportedIsas().
void SelectiveScan(Isa isa, const ScanShape& shape, Direction direction,
                   const ScanInputs& in, const TokenTensor& y);

// States are recomputed, not stored. Deterministic to the bit: sums run in a
// fixed order (images, then channels or tokens). Allocates up to 512 bytes of
// scratch a token of one image.
void SelectiveScanBackward(const ScanShape& shape, Direction direction,
                           const ScanInputs& in, const ConstTokenTensor& dy,
                           const ScanGradients& gradients);
void SelectiveScanBackward(Isa isa, const ScanShape& shape, Direction direction,
                           const ScanInputs& in, const ConstTokenTensor& dy,
                           const ScanGradients& gradients);

// In double, portable and slow: for derivatives by differences.
void SelectiveScan(const ScanShape& shape, Direction direction,
                   const BasicScanInputs<double>& in,
                   const BasicTokenTensor<double>& y);
void SelectiveScanBackward(const ScanShape& shape, Direction direction,
                           const BasicScanInputs<double>& in,
                           const BasicTokenTensor<const double>& dy,
                           const BasicScanGradients<double>& gradients);

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SELECTIVE_SCAN_H_
