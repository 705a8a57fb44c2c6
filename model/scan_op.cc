#include "model/scan_op.h"

#include "ATen/Parallel.h"
#include "ATen/ops/empty.h"
#include "torch/csrc/autograd/custom_function.h"

namespace groupmamba {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

kernels::ConstTokenTensor View(const at::Tensor& x) {
  return {x.const_data_ptr<float>(), x.stride(0), x.stride(1)};
}

kernels::TokenTensor MutableView(const at::Tensor& x) {
  return {x.mutable_data_ptr<float>(), x.stride(0), x.stride(1)};
}

kernels::ScanInputs InputsOf(const ScanOperands& operands) {
  return {.u = View(operands.u),
          .delta = View(operands.delta),
          .b = View(operands.b),
          .c = View(operands.c),
          .a = operands.a.const_data_ptr<float>(),
          .d = operands.d.const_data_ptr<float>(),
          .delta_bias = operands.delta_bias.const_data_ptr<float>()};
}

// The same tensors seen from image n on.
template <typename View>
View At(View x, int64_t n) {
  x.data += n * x.image_stride;
  return x;
}

kernels::ScanInputs At(kernels::ScanInputs in, int64_t n) {
  in.u = At(in.u, n);
  in.delta = At(in.delta, n);
  in.b = At(in.b, n);
  in.c = At(in.c, n);
  return in;
}

at::Tensor WithAdjacentChannels(const at::Tensor& x) {
  return x.stride(-1) == 1 ? x : x.contiguous();
}

// The scan is in fp32 also where autocast makes its operands bf16; autograd
// sees the cast.
ScanOperands InFp32(const ScanOperands& x) {
  return {.u = x.u.to(at::kFloat),
          .delta = x.delta.to(at::kFloat),
          .b = x.b.to(at::kFloat),
          .c = x.c.to(at::kFloat),
          .a = x.a.to(at::kFloat),
          .d = x.d.to(at::kFloat),
          .delta_bias = x.delta_bias.to(at::kFloat)};
}

kernels::ScanShape OneImage(const at::Tensor& u, Grid grid) {
  return {.batch = 1,
          .height = grid.height,
          .width = grid.width,
          .channels = u.size(2)};
}

at::Tensor Forward(const ScanOperands& operands, Grid grid,
                   kernels::Direction direction) {
  const at::Tensor y = at::empty(operands.u.sizes(), operands.u.options());
  const kernels::ScanShape image = OneImage(operands.u, grid);
  const kernels::ScanInputs in = InputsOf(operands);
  const kernels::TokenTensor out = MutableView(y);
  at::parallel_for(0, y.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      kernels::SelectiveScan(image, direction, At(in, n), At(out, n));
    }
  });
  return y;
}

// Gradients in the order of ScanOperands. The three parameters' gradients are
// kept a picture apart while pictures run in parallel and summed afterwards, in
// order.
variable_list Backward(const ScanOperands& operands, Grid grid,
                       kernels::Direction direction, const at::Tensor& dy) {
  const auto options = operands.u.options();
  const int64_t batch = operands.u.size(0);
  const at::Tensor du = at::empty(operands.u.sizes(), options);
  const at::Tensor ddelta = at::empty(operands.delta.sizes(), options);
  const at::Tensor db = at::empty(operands.b.sizes(), options);
  const at::Tensor dc = at::empty(operands.c.sizes(), options);
  const at::Tensor per_image =
      at::empty({batch, 3, operands.u.size(2)}, options);
  const kernels::ScanShape image = OneImage(operands.u, grid);
  const kernels::ScanInputs in = InputsOf(operands);
  const kernels::ConstTokenTensor dy_view = View(dy);
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      float* sums =
          per_image.mutable_data_ptr<float>() + n * per_image.stride(0);
      kernels::SelectiveScanBackward(
          image, direction, At(in, n), At(dy_view, n),
          {.du = At(MutableView(du), n),
           .ddelta = At(MutableView(ddelta), n),
           .db = At(MutableView(db), n),
           .dc = At(MutableView(dc), n),
           .da = sums,
           .dd = sums + per_image.stride(1),
           .ddelta_bias = sums + 2 * per_image.stride(1)});
    }
  });
  const at::Tensor sums = per_image.sum(0);
  return {du, ddelta, db, dc, sums[0], sums[1], sums[2]};
}

class ScanFunction : public torch::autograd::Function<ScanFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& u,
                            const at::Tensor& delta, const at::Tensor& b,
                            const at::Tensor& c, const at::Tensor& a,
                            const at::Tensor& d, const at::Tensor& delta_bias,
                            Grid grid, kernels::Direction direction) {
    context->save_for_backward({u, delta, b, c, a, d, delta_bias});
    context->saved_data["height"] = grid.height;
    context->saved_data["width"] = grid.width;
    context->saved_data["direction"] = static_cast<int64_t>(direction);
    return Forward({u, delta, b, c, a, d, delta_bias}, grid, direction);
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const Grid grid = {context->saved_data["height"].toInt(),
                       context->saved_data["width"].toInt()};
    const auto direction = static_cast<kernels::Direction>(
        context->saved_data["direction"].toInt());
    variable_list by_operand = Backward(
        {saved[0], saved[1], saved[2], saved[3], saved[4], saved[5], saved[6]},
        grid, direction, WithAdjacentChannels(gradients[0]));
    by_operand.resize(9);  // grid and direction have none
    return by_operand;
  }
};

}  // namespace

at::Tensor SelectiveScan(const ScanOperands& operands, Grid grid,
                         kernels::Direction direction) {
  const ScanOperands x = InFp32(operands);
  return ScanFunction::apply(WithAdjacentChannels(x.u),
                             WithAdjacentChannels(x.delta), x.b, x.c,
                             x.a.contiguous(), x.d.contiguous(),
                             x.delta_bias.contiguous(), grid, direction);
}

}  // namespace groupmamba
