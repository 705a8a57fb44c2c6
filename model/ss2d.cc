#include "model/ss2d.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/silu.h"
#include "model/scan_op.h"

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
  const int64_t channels = out_proj.size(0);
  const int64_t rank = dt_projs_weight.size(2);
  // Two products, so that both results are contiguous: the convolution takes u
  // as it is.
  const at::Tensor gate =
      at::silu(at::linear(x, in_proj.narrow(0, channels, channels)));
  at::Tensor u = at::linear(x, in_proj.narrow(0, 0, channels));
  u = at::silu(convolution(u, grid));
  const at::Tensor projected = at::linear(u, x_proj_weight.squeeze(0));
  const at::Tensor delta =
      at::linear(projected.narrow(2, 0, rank), dt_projs_weight.squeeze(0));
  const at::Tensor y = SelectiveScan({.u = u,
                                      .delta = delta,
                                      .b = projected.select(2, rank),
                                      .c = projected.select(2, rank + 1),
                                      .a = a_logs.exp().neg().view({channels}),
                                      .d = ds,
                                      .delta_bias = dt_projs_bias.squeeze(0)},
                                     grid, direction);
  return at::linear(out_norm(y) * gate, out_proj);
}

}  // namespace groupmamba
