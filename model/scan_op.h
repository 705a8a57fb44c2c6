// The selective scan (kernels/selective_scan.h) as LibTorch's operator
// groupmamba::selective_scan: for autograd, for compilers (shapes without
// values) and, out of a shared library, for Python.

#ifndef GROUPMAMBA_MODEL_SCAN_OP_H_
#define GROUPMAMBA_MODEL_SCAN_OP_H_

#include "ATen/core/Tensor.h"
#include "kernels/scan_types.h"
#include "model/grid.h"

namespace groupmamba {

// The operands of kernels/selective_scan.h; all fp32, or all double, which is
// slow. Kernels of ours are on the processor; on other devices it is LibTorch's
// operators (model/ss2d_composition.h), in any type.
struct ScanOperands {
  at::Tensor u;           // [batch, tokens, channels]
  at::Tensor delta;       // [batch, tokens, channels]
  at::Tensor b;           // [batch, tokens]
  at::Tensor c;           // [batch, tokens]
  at::Tensor a;           // [channels], negative
  at::Tensor d;           // [channels]
  at::Tensor delta_bias;  // [channels]
};

// y [batch, tokens, channels]. Pictures run in parallel, each by itself: an
// answer does not depend on its neighbours. For the gradient only the operands
// are kept; the states are computed again. Deterministic, backward too. No
// second derivatives.
at::Tensor SelectiveScan(const ScanOperands& operands, Grid grid,
                         kernels::Direction direction);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_SCAN_OP_H_
