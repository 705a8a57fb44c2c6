#include "model/scan_op.h"

#include "ATen/Dispatch.h"
#include "ATen/Parallel.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/empty_like.h"
#include "kernels/selective_scan.h"
#include "model/op_support.h"
#include "model/ss2d_composition.h"
#include "torch/csrc/autograd/custom_function.h"
#include "torch/library.h"

namespace groupmamba {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class Scalar>
using ConstView = kernels::BasicTokenTensor<const Scalar>;
template <class Scalar>
using MutableView = kernels::BasicTokenTensor<Scalar>;

// Of image n on.
template <class Scalar>
ConstView<Scalar> View(const at::Tensor& x, int64_t n) {
  return {x.const_data_ptr<Scalar>() + n * x.stride(0), x.stride(0),
          x.stride(1)};
}
template <class Scalar>
MutableView<Scalar> ViewOf(const at::Tensor& x, int64_t n) {
  return {x.mutable_data_ptr<Scalar>() + n * x.stride(0), x.stride(0),
          x.stride(1)};
}

// Operands whose channels are adjacent, checked.
struct CheckedScan {
  CheckedScan(const ScanOperands& from, int64_t height, int64_t width,
              int64_t direction)
      : operands{WithAdjacentChannels(from.u),
                 WithAdjacentChannels(from.delta),
                 from.b,
                 from.c,
                 from.a.contiguous(),
                 from.d.contiguous(),
                 from.delta_bias.contiguous()},
        direction(DirectionOf(direction)) {
    const at::Tensor& u = operands.u;
    TORCH_CHECK(u.dim() == 3 && height * width == u.size(1) && u.size(2) > 0,
                "selective_scan: u must be [batch, height * width, channels]");
    const int64_t batch = u.size(0), tokens = u.size(1), channels = u.size(2);
    CheckOperand(u, "u", u, {batch, tokens, channels});
    CheckOperand(u, "delta", operands.delta, {batch, tokens, channels});
    CheckOperand(u, "b", operands.b, {batch, tokens});
    CheckOperand(u, "c", operands.c, {batch, tokens});
    CheckOperand(u, "a", operands.a, {channels});
    CheckOperand(u, "d", operands.d, {channels});
    CheckOperand(u, "delta_bias", operands.delta_bias, {channels});
    image = {
        .batch = 1, .height = height, .width = width, .channels = channels};
  }

  template <class Scalar>
  kernels::BasicScanInputs<Scalar> Inputs(int64_t n) const {
    return {.u = View<Scalar>(operands.u, n),
            .delta = View<Scalar>(operands.delta, n),
            .b = View<Scalar>(operands.b, n),
            .c = View<Scalar>(operands.c, n),
            .a = operands.a.const_data_ptr<Scalar>(),
            .d = operands.d.const_data_ptr<Scalar>(),
            .delta_bias = operands.delta_bias.const_data_ptr<Scalar>()};
  }

  ScanOperands operands;
  kernels::Direction direction;
  kernels::ScanShape image;
};

at::Tensor ScanCpu(const at::Tensor& u, const at::Tensor& delta,
                   const at::Tensor& b, const at::Tensor& c,
                   const at::Tensor& a, const at::Tensor& d,
                   const at::Tensor& delta_bias, int64_t height, int64_t width,
                   int64_t direction) {
  const CheckedScan scan({u, delta, b, c, a, d, delta_bias}, height, width,
                         direction);
  const at::Tensor y = at::empty(u.sizes(), u.options());
  AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "selective_scan", [&] {
    at::parallel_for(0, y.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        kernels::SelectiveScan(scan.image, scan.direction,
                               scan.Inputs<scalar_t>(n),
                               ViewOf<scalar_t>(y, n));
      }
    });
  });
  return y;
}

at::Tensor ScanMeta(const at::Tensor& u, const at::Tensor&, const at::Tensor&,
                    const at::Tensor&, const at::Tensor&, const at::Tensor&,
                    const at::Tensor&, int64_t, int64_t, int64_t) {
  return at::empty_symint(u.sym_sizes(), u.options());
}

using ScanGradients = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor,
                                 at::Tensor, at::Tensor, at::Tensor>;

// Gradients in the order of ScanOperands. The three parameters' gradients are
// kept a picture apart while pictures run in parallel and summed afterwards, in
// order.
ScanGradients BackwardCpu(const at::Tensor& grad, const at::Tensor& u,
                          const at::Tensor& delta, const at::Tensor& b,
                          const at::Tensor& c, const at::Tensor& a,
                          const at::Tensor& d, const at::Tensor& delta_bias,
                          int64_t height, int64_t width, int64_t direction) {
  const CheckedScan scan({u, delta, b, c, a, d, delta_bias}, height, width,
                         direction);
  const at::Tensor dy = WithAdjacentChannels(grad);
  CheckOperand(u, "the gradient", dy, u.sizes());
  const auto options = u.options();
  const at::Tensor du = at::empty(u.sizes(), options);
  const at::Tensor ddelta = at::empty(u.sizes(), options);
  const at::Tensor db = at::empty(b.sizes(), options);
  const at::Tensor dc = at::empty(c.sizes(), options);
  const at::Tensor per_image = at::empty({u.size(0), 3, u.size(2)}, options);
  AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "selective_scan_backward", [&] {
    at::parallel_for(0, u.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        scalar_t* sums =
            per_image.mutable_data_ptr<scalar_t>() + n * per_image.stride(0);
        kernels::SelectiveScanBackward(
            scan.image, scan.direction, scan.Inputs<scalar_t>(n),
            View<scalar_t>(dy, n),
            {.du = ViewOf<scalar_t>(du, n),
             .ddelta = ViewOf<scalar_t>(ddelta, n),
             .db = ViewOf<scalar_t>(db, n),
             .dc = ViewOf<scalar_t>(dc, n),
             .da = sums,
             .dd = sums + per_image.stride(1),
             .ddelta_bias = sums + 2 * per_image.stride(1)});
      }
    });
  });
  const at::Tensor sums = per_image.sum(0);
  return {
      du, ddelta, db, dc, sums[0].clone(), sums[1].clone(), sums[2].clone()};
}

ScanGradients BackwardMeta(const at::Tensor&, const at::Tensor& u,
                           const at::Tensor& delta, const at::Tensor& b,
                           const at::Tensor& c, const at::Tensor& a,
                           const at::Tensor& d, const at::Tensor& delta_bias,
                           int64_t, int64_t, int64_t) {
  const auto like = [](const at::Tensor& x) {
    return at::empty_symint(x.sym_sizes(), x.options());
  };
  return {like(u), like(delta), like(b),         like(c),
          like(a), like(d),     like(delta_bias)};
}

using ScanOp = at::Tensor(const at::Tensor&, const at::Tensor&,
                          const at::Tensor&, const at::Tensor&,
                          const at::Tensor&, const at::Tensor&,
                          const at::Tensor&, int64_t, int64_t, int64_t);
using BackwardOp = decltype(BackwardCpu);

class ScanFunction : public torch::autograd::Function<ScanFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& u,
                            const at::Tensor& delta, const at::Tensor& b,
                            const at::Tensor& c, const at::Tensor& a,
                            const at::Tensor& d, const at::Tensor& delta_bias,
                            int64_t height, int64_t width, int64_t direction) {
    static const auto op = FindOperator<ScanOp>("groupmamba::selective_scan");
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({u, delta, b, c, a, d, delta_bias});
    context->saved_data["height"] = height;
    context->saved_data["width"] = width;
    context->saved_data["direction"] = direction;
    return op.call(u, delta, b, c, a, d, delta_bias, height, width, direction);
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& gradients) {
    static const auto op =
        FindOperator<BackwardOp>("groupmamba::_selective_scan_backward");
    const variable_list x = context->get_saved_variables();
    auto [du, ddelta, db, dc, da, dd, dbias] =
        op.call(gradients[0], x[0], x[1], x[2], x[3], x[4], x[5], x[6],
                context->saved_data["height"].toInt(),
                context->saved_data["width"].toInt(),
                context->saved_data["direction"].toInt());
    // The numbers have none.
    return {du, ddelta, db, dc, da, dd, dbias, {}, {}, {}};
  }
};

// On any device.
at::Tensor Compose(const at::Tensor& u, const at::Tensor& delta,
                   const at::Tensor& b, const at::Tensor& c,
                   const at::Tensor& a, const at::Tensor& d,
                   const at::Tensor& delta_bias, int64_t height, int64_t width,
                   int64_t direction) {
  return ScanComposition({u, delta, b, c, a, d, delta_bias}, {height, width},
                         DirectionOf(direction));
}

at::Tensor ScanAutograd(const at::Tensor& u, const at::Tensor& delta,
                        const at::Tensor& b, const at::Tensor& c,
                        const at::Tensor& a, const at::Tensor& d,
                        const at::Tensor& delta_bias, int64_t height,
                        int64_t width, int64_t direction) {
  if (!u.is_cpu() && !u.is_meta()) {
    return Compose(u, delta, b, c, a, d, delta_bias, height, width, direction);
  }
  return ScanFunction::apply(u, delta, b, c, a, d, delta_bias, height, width,
                             direction);
}

TORCH_LIBRARY_FRAGMENT(groupmamba, library) {
  library.def(
      "selective_scan(Tensor u, Tensor delta, Tensor b, Tensor c, Tensor a, "
      "Tensor d, Tensor delta_bias, int height, int width, int direction) -> "
      "Tensor",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_selective_scan_backward(Tensor dy, Tensor u, Tensor delta, Tensor b, "
      "Tensor c, Tensor a, Tensor d, Tensor delta_bias, int height, int width, "
      "int direction) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, "
      "Tensor)",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(groupmamba, CompositeExplicitAutograd, library) {
  library.impl("selective_scan", Compose);
}
TORCH_LIBRARY_IMPL(groupmamba, CPU, library) {
  library.impl("selective_scan", ScanCpu);
  library.impl("_selective_scan_backward", BackwardCpu);
}
TORCH_LIBRARY_IMPL(groupmamba, Meta, library) {
  library.impl("selective_scan", ScanMeta);
  library.impl("_selective_scan_backward", BackwardMeta);
}
TORCH_LIBRARY_IMPL(groupmamba, Autograd, library) {
  library.impl("selective_scan", ScanAutograd);
  library.impl("_selective_scan_backward",
               torch::autograd::autogradNotImplementedFallback());
}

}  // namespace

at::Tensor SelectiveScan(const ScanOperands& operands, Grid grid,
                         kernels::Direction direction) {
  static const auto op = FindOperator<ScanOp>("groupmamba::selective_scan");
  return op.call(operands.u, operands.delta, operands.b, operands.c, operands.a,
                 operands.d, operands.delta_bias, grid.height, grid.width,
                 static_cast<int64_t>(direction));
}

}  // namespace groupmamba
