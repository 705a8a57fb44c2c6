#include "model/ss2d_composition.h"

#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/addcmul.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/layer_norm.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/silu.h"
#include "ATen/ops/softplus.h"
#include "ATen/ops/stack.h"
#include "ATen/ops/zeros_like.h"

namespace groupmamba {
namespace {

using kernels::Direction;

// [batch, height, width, channels] in row-major order to [batch, lines, steps,
// channels] in the direction's, and back.
at::Tensor Turn(at::Tensor x, Direction direction) {
  if (direction == Direction::kTopBottom ||
      direction == Direction::kBottomTop) {
    x = x.transpose(1, 2);
  }
  if (direction == Direction::kRightLeft ||
      direction == Direction::kBottomTop) {
    x = x.flip({1, 2});
  }
  return x.contiguous();
}

// h_j = decay_j h_(j-1) + input_j over [batch, lines, steps, channels], the
// lines one after the other: first all lines side by side, as if each began
// with 0, then the states between lines, then what they add. So it takes
// lines + steps operators one after the other, and not lines * steps.
at::Tensor ChunkedScan(const at::Tensor& decay, const at::Tensor& input) {
  // [steps][batch, lines, channels], each contiguous.
  const auto by_step = [](const at::Tensor& x, int64_t dim) {
    return x.movedim(dim, 0).contiguous().unbind(0);
  };
  const std::vector<at::Tensor> decays = by_step(decay, 2);
  const std::vector<at::Tensor> inputs = by_step(input, 2);
  std::vector<at::Tensor> states = {inputs[0]}, products = {decays[0]};
  for (size_t j = 1; j < inputs.size(); ++j) {
    states.push_back(at::addcmul(inputs[j], decays[j], states.back()));
    products.push_back(decays[j] * products.back());
  }
  if (decay.size(1) == 1) return at::stack(states, 2);
  const std::vector<at::Tensor> last = by_step(states.back(), 1);
  const std::vector<at::Tensor> through = by_step(products.back(), 1);
  std::vector<at::Tensor> before = {at::zeros_like(last[0])};
  for (size_t i = 0; i + 1 < last.size(); ++i) {
    before.push_back(at::addcmul(last[i], through[i], before.back()));
  }
  return at::addcmul(at::stack(states, 2), at::stack(products, 2),
                     at::stack(before, 1).unsqueeze(2));
}

}  // namespace

at::Tensor Ss2dComposition(const at::Tensor& xz,
                           const Ss2dParameters& parameters, Grid grid,
                           Direction direction, double epsilon) {
  const int64_t d = parameters.ds.size(0);
  const int64_t rank = parameters.dt_projs_weight.size(2);
  const at::Tensor gate = at::silu(xz.narrow(2, d, d));
  const at::Tensor picture =
      xz.narrow(2, 0, d)
          .reshape({xz.size(0), grid.height, grid.width, d})
          .permute({0, 3, 1, 2});
  const at::Tensor convolved =
      at::conv2d(picture, parameters.convolution_weight,
                 parameters.convolution_bias, /*stride=*/1, /*padding=*/1,
                 /*dilation=*/1, /*groups=*/d);
  const at::Tensor u =
      Turn(at::silu(convolved).permute({0, 2, 3, 1}), direction);
  const at::Tensor rates = at::linear(u, parameters.x_proj_weight.squeeze(0));
  const at::Tensor delta = at::softplus(at::linear(
      rates.narrow(3, 0, rank), parameters.dt_projs_weight.squeeze(0),
      parameters.dt_projs_bias.squeeze(0)));
  const at::Tensor a = -parameters.a_logs.flatten().exp();
  const at::Tensor h =
      ChunkedScan((delta * a).exp(), delta * u * rates.narrow(3, rank, 1));
  at::Tensor y = h * rates.narrow(3, rank + 1, 1) + u * parameters.ds;
  y = Turn(y, direction);  // its own inverse: flips of both axes commute
  y = at::layer_norm(y.view({xz.size(0), -1, d}), {d},
                     parameters.out_norm_weight, parameters.out_norm_bias,
                     epsilon);
  return y * gate;
}

at::Tensor ScanComposition(const ScanOperands& operands, Grid grid,
                           Direction direction) {
  const auto turned = [&](const at::Tensor& x) {
    return Turn(x.reshape({x.size(0), grid.height, grid.width, -1}), direction);
  };
  const at::Tensor u = turned(operands.u);
  const at::Tensor delta =
      turned(at::softplus(operands.delta + operands.delta_bias));
  const at::Tensor h =
      ChunkedScan((delta * operands.a).exp(), delta * u * turned(operands.b));
  const at::Tensor y = h * turned(operands.c) + u * operands.d;
  return Turn(y, direction).view(operands.u.sizes());
}

}  // namespace groupmamba
