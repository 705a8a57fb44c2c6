// kernels::SelectiveScan as a LibTorch operator with a gradient.

#ifndef GROUPMAMBA_MODEL_SCAN_OP_H_
#define GROUPMAMBA_MODEL_SCAN_OP_H_

#include "ATen/core/Tensor.h"
#include "kernels/selective_scan.h"
#include "model/layers.h"

namespace groupmamba {

// The operands of kernels/selective_scan.h, on the processor. What is not fp32
// is made so.
struct ScanOperands {
  at::Tensor u;           // [batch, tokens, channels], channels adjacent
  at::Tensor delta;       // [batch, tokens, channels], channels adjacent
  at::Tensor b;           // [batch, tokens]
  at::Tensor c;           // [batch, tokens]
  at::Tensor a;           // [channels], negative
  at::Tensor d;           // [channels]
  at::Tensor delta_bias;  // [channels]
};

// y [batch, tokens, channels]. Pictures run in parallel, each by itself: an
// answer does not depend on its neighbours. For the gradient only the operands
// are kept; the states are computed again. Deterministic, backward too.
at::Tensor SelectiveScan(const ScanOperands& operands, Grid grid,
                         kernels::Direction direction);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_SCAN_OP_H_
