// The SS2D core (kernels/ss2d_core.h) as LibTorch's operator
// groupmamba::ss2d_core: for autograd, for compilers (shapes without values)
// and, out of a shared library, for Python.
//
// On the processor and, in a build with CUDA, on GPUs it is kernels of ours,
// registered as `_ss2d_core_forward` and `_ss2d_core_backward`; elsewhere, and
// for sizes and types that they are not made for, LibTorch's operators
// (model/ss2d_composition.h).

#ifndef GROUPMAMBA_MODEL_SS2D_OP_H_
#define GROUPMAMBA_MODEL_SS2D_OP_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "kernels/scan_types.h"
#include "model/grid.h"

namespace groupmamba {

// By the state dict's names and in their shapes, for a group of d channels and
// a rank R; all of xz's type.
struct Ss2dParameters {
  at::Tensor convolution_weight;  // conv2d.weight [d, 1, 3, 3]
  at::Tensor convolution_bias;    // conv2d.bias [d]
  at::Tensor x_proj_weight;       // [1, R + 2, d]
  at::Tensor dt_projs_weight;     // [1, d, R]
  at::Tensor dt_projs_bias;       // [1, d]
  at::Tensor a_logs;              // A_logs [d, 1]
  at::Tensor ds;                  // Ds [d]
  at::Tensor out_norm_weight;     // out_norm.weight [d]
  at::Tensor out_norm_bias;       // out_norm.bias [d]
};

// xz [batch, tokens, 2 d], fp32 or, slowly, double, and on a GPU bf16 with
// parameters in fp32; returns [batch, tokens, d] of xz's type. `epsilon` is
// out_norm's. Pictures run in parallel, each by itself: an answer does not
// depend on its neighbours. For the gradient xz is kept, and a 64th of it more
// (on a GPU a 14th, in fp32). Deterministic whatever the number of threads,
// backward too. No second derivatives. Under autocast it computes in fp32; on a
// GPU it takes and gives bf16.
at::Tensor Ss2dCore(const at::Tensor& xz, const Ss2dParameters& parameters,
                    Grid grid, kernels::Direction direction, double epsilon);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_SS2D_OP_H_
