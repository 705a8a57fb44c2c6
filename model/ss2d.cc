#include "model/ss2d.h"

#include "ATen/ops/linear.h"
#include "model/ss2d_op.h"

namespace groupmamba {
namespace {

constexpr double kOutNormEpsilon = 1e-5;

}  // namespace

Ss2d::Ss2d(const ParameterScope& scope, kernels::Direction direction)
    : direction(direction),
      in_proj((scope / "in_proj").Get("weight")),
      convolution(scope / "conv2d"),
      x_proj_weight(scope.Get("x_proj_weight")),
      dt_projs_weight(scope.Get("dt_projs_weight")),
      dt_projs_bias(scope.Get("dt_projs_bias")),
      a_logs(scope.Get("A_logs")),
      ds(scope.Get("Ds")),
      out_norm(scope / "out_norm", kOutNormEpsilon),
      out_proj((scope / "out_proj").Get("weight")) {}

at::Tensor Ss2d::operator()(const at::Tensor& x, Grid grid) const {
  const at::Tensor y = Ss2dCore(at::linear(x, in_proj),
                                {.convolution_weight = convolution.weight,
                                 .convolution_bias = convolution.bias,
                                 .x_proj_weight = x_proj_weight,
                                 .dt_projs_weight = dt_projs_weight,
                                 .dt_projs_bias = dt_projs_bias,
                                 .a_logs = a_logs,
                                 .ds = ds,
                                 .out_norm_weight = out_norm.weight,
                                 .out_norm_bias = out_norm.bias},
                                grid, direction, kOutNormEpsilon);
  return at::linear(y, out_proj);
}

}  // namespace groupmamba
