// The 3x3 depthwise convolution with GELU of the feed-forward as LibTorch's
// operator groupmamba::depthwise_gelu: one pass over the hidden values, and for
// the gradient only the input is kept.

#ifndef GROUPMAMBA_MODEL_DEPTHWISE_OP_H_
#define GROUPMAMBA_MODEL_DEPTHWISE_OP_H_

#include "ATen/core/Tensor.h"
#include "model/grid.h"

namespace groupmamba {

// gelu(w * x + bias), stride 1, zeros around the picture. x [batch, tokens,
// channels], weight [channels, 1, 3, 3], bias [channels]; returns x's shape.
//
// fp32 on the processor runs on our kernels (kernels/token_kernels.h), pictures
// in parallel, each by itself; deterministic whatever the number of threads,
// backward too; no second derivatives. Other types and devices get LibTorch's
// two operators.
at::Tensor DepthwiseGelu(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias, Grid grid);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_DEPTHWISE_OP_H_
