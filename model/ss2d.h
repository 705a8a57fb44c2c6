// The token mixer of one channel group: a gated selective scan over the picture
// in one direction (SS2D of the authors' code; Mamba in the paper's VSSS
// block).

#ifndef GROUPMAMBA_MODEL_SS2D_H_
#define GROUPMAMBA_MODEL_SS2D_H_

#include "ATen/core/Tensor.h"
#include "kernels/selective_scan.h"
#include "model/layers.h"

namespace groupmamba {

// For a group of d channels, with the scan of kernels/selective_scan.h:
//
//   u, z     = x W_in            each [.., d], without bias
//   u        = silu(depthwise3x3(u))
//   r, b, c  = u W_x             [.., R], [..], [..]
//   delta    = r W_dt
//   y        = scan(u, delta, b, c)    of a = -exp(A_logs)
//   output   = (layer_norm(y) * silu(z)) W_out
struct Ss2d {
  Ss2d(const ParameterScope& scope, kernels::Direction direction);

  // x: [batch, tokens, d]; any strides with adjacent channels.
  at::Tensor operator()(const at::Tensor& x, Grid grid) const;

  kernels::Direction direction;
  at::Tensor in_proj;          // [2 d, d]: u's rows, then the gate's
  DepthwiseConv convolution;   // of u
  at::Tensor x_proj_weight;    // [1, R + 2, d]
  at::Tensor dt_projs_weight;  // [1, d, R]
  at::Tensor dt_projs_bias;    // [1, d]
  at::Tensor a_logs;           // [d, 1]
  at::Tensor ds;               // [d]
  LayerNorm out_norm;
  at::Tensor out_proj;  // [d, d]
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_SS2D_H_
