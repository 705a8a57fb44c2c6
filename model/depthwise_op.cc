#include "model/depthwise_op.h"

#include <tuple>

#include "ATen/Parallel.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/gelu.h"
#include "kernels/token_kernels.h"
#include "model/op_support.h"
#include "model/picture_tokens.h"
#include "torch/csrc/autograd/custom_function.h"
#include "torch/library.h"

namespace groupmamba {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool IsOurs(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat;
}

at::Tensor Compose(const at::Tensor& x, const at::Tensor& weight,
                   const at::Tensor& bias, int64_t height, int64_t width) {
  return TokensOf(at::gelu(at::conv2d(PictureOf(x, {height, width}), weight,
                                      bias, /*stride=*/1, /*padding=*/1,
                                      /*dilation=*/1,
                                      /*groups=*/weight.size(0))))
      .contiguous();
}

// What an operator was called with, checked, its taps as the kernels take them.
struct CheckedConvolution {
  CheckedConvolution(const at::Tensor& from, const at::Tensor& weight,
                     const at::Tensor& bias, int64_t height, int64_t width)
      : x(WithAdjacentChannels(from)),
        taps(weight.flatten(1).t().contiguous()),
        bias(bias.contiguous()) {
    TORCH_CHECK(x.dim() == 3 && height > 0 && width > 0 && x.size(2) > 0 &&
                    x.size(1) == height * width,
                "depthwise_gelu: x must be [batch, ", height, " * ", width,
                ", channels], not ", x.sizes());
    CheckOperand(x, "weight", weight, {x.size(2), 1, 3, 3});
    CheckOperand(x, "bias", bias, {x.size(2)});
    shape = {.rows = height, .width = width, .channels = x.size(2)};
  }

  at::Tensor x;
  at::Tensor taps;  // [9][channel]
  at::Tensor bias;
  kernels::DepthwiseShape shape;
};

kernels::ConstTokens Image(const at::Tensor& x, int64_t n) {
  return {x.const_data_ptr<float>() + n * x.stride(0), x.stride(1)};
}
kernels::Tokens MutableImage(const at::Tensor& x, int64_t n) {
  return {x.mutable_data_ptr<float>() + n * x.stride(0), x.stride(1)};
}

at::Tensor ForwardCpu(const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias, int64_t height, int64_t width) {
  if (!IsOurs(x)) return Compose(x, weight, bias, height, width);
  const CheckedConvolution call(x, weight, bias, height, width);
  const at::Tensor y = at::empty(call.x.sizes(), call.x.options());
  const float* const taps = call.taps.const_data_ptr<float>();
  const float* const offsets = call.bias.const_data_ptr<float>();
  // Rows and not pictures: each comes once from memory, and a lone picture has
  // work for all threads.
  at::parallel_for(0, y.size(0) * height, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i % height;
      kernels::DepthwiseShape band = call.shape;
      band.rows = 1;
      band.above = row > 0;
      band.below = row + 1 < height;
      kernels::ConstTokens from = Image(call.x, i / height);
      kernels::Tokens to = MutableImage(y, i / height);
      from.data += row * width * from.stride;
      to.data += row * width * to.stride;
      kernels::DepthwiseConv(kernels::BestIsa(), band,
                             kernels::Activation::kGelu, from, taps, offsets,
                             to);
    }
  });
  return y;
}

// The gradients by the parameters are kept a picture apart while pictures run
// in parallel and summed afterwards, in order.
std::tuple<at::Tensor, at::Tensor, at::Tensor> BackwardCpu(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
    const at::Tensor& bias, int64_t height, int64_t width) {
  const CheckedConvolution call(x, weight, bias, height, width);
  const at::Tensor dy = WithAdjacentChannels(gradient);
  CheckOperand(call.x, "the gradient", dy, call.x.sizes());
  const auto options = call.x.options();
  TORCH_CHECK(IsOurs(call.x), "_depthwise_gelu_backward: float32 only");
  const int64_t batch = call.x.size(0), channels = call.x.size(2);
  const at::Tensor dx = at::empty(call.x.sizes(), options);
  const at::Tensor shares = at::empty({batch, 10, channels}, options);
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    const at::Tensor scratch =
        at::empty({10 + height * width, channels}, options);
    for (int64_t n = begin; n < end; ++n) {
      kernels::DepthwiseConvBackward(
          kernels::BestIsa(), call.shape, kernels::Activation::kGelu,
          {.x = Image(call.x, n),
           .weight = call.taps.const_data_ptr<float>(),
           .bias = call.bias.const_data_ptr<float>(),
           .dy = Image(dy, n),
           .dx = MutableImage(dx, n),
           .dw = shares.mutable_data_ptr<float>() + n * shares.stride(0),
           .scratch = scratch.mutable_data_ptr<float>()});
    }
  });
  at::Tensor sums = shares.select(0, 0).clone();
  for (int64_t n = 1; n < batch; ++n) sums.add_(shares.select(0, n));
  return {dx, sums.narrow(0, 0, 9).t().reshape(weight.sizes()).contiguous(),
          sums.select(0, 9).clone()};
}

at::Tensor ForwardMeta(const at::Tensor& x, const at::Tensor&,
                       const at::Tensor&, int64_t, int64_t) {
  return at::empty_symint(x.sym_sizes(), x.options());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> BackwardMeta(
    const at::Tensor&, const at::Tensor& x, const at::Tensor& weight,
    const at::Tensor& bias, int64_t, int64_t) {
  const auto like = [](const at::Tensor& t) {
    return at::empty_symint(t.sym_sizes(), t.options());
  };
  return {like(x), like(weight), like(bias)};
}

using ConvolutionOp = at::Tensor(const at::Tensor&, const at::Tensor&,
                                 const at::Tensor&, int64_t, int64_t);

at::Tensor Call(const at::Tensor& x, const at::Tensor& weight,
                const at::Tensor& bias, int64_t height, int64_t width) {
  static const auto op =
      FindOperator<ConvolutionOp>("groupmamba::depthwise_gelu");
  return op.call(x, weight, bias, height, width);
}

class ConvolutionFunction
    : public torch::autograd::Function<ConvolutionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias,
                            int64_t height, int64_t width) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({x, weight, bias});
    context->saved_data["height"] = height;
    context->saved_data["width"] = width;
    return Call(x, weight, bias, height, width);
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& gradients) {
    static const auto op = FindOperator<decltype(BackwardCpu)>(
        "groupmamba::_depthwise_gelu_backward");
    const variable_list saved = context->get_saved_variables();
    auto [dx, dweight, dbias] =
        op.call(gradients[0], saved[0], saved[1], saved[2],
                context->saved_data["height"].toInt(),
                context->saved_data["width"].toInt());
    return {dx, dweight, dbias, {}, {}};
  }
};

at::Tensor Differentiable(const at::Tensor& x, const at::Tensor& weight,
                          const at::Tensor& bias, int64_t height,
                          int64_t width) {
  if (IsOurs(x)) {
    return ConvolutionFunction::apply(x, weight, bias, height, width);
  }
  return Compose(x, weight, bias, height, width);
}

TORCH_LIBRARY_FRAGMENT(groupmamba, library) {
  library.def(
      "depthwise_gelu(Tensor x, Tensor weight, Tensor bias, int height, "
      "int width) -> Tensor",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_depthwise_gelu_backward(Tensor dy, Tensor x, Tensor weight, "
      "Tensor bias, int height, int width) -> (Tensor, Tensor, Tensor)",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(groupmamba, CompositeExplicitAutograd, library) {
  library.impl("depthwise_gelu", Compose);
}
TORCH_LIBRARY_IMPL(groupmamba, CPU, library) {
  library.impl("depthwise_gelu", ForwardCpu);
  library.impl("_depthwise_gelu_backward", BackwardCpu);
}
TORCH_LIBRARY_IMPL(groupmamba, Meta, library) {
  library.impl("depthwise_gelu", ForwardMeta);
  library.impl("_depthwise_gelu_backward", BackwardMeta);
}
TORCH_LIBRARY_IMPL(groupmamba, Autograd, library) {
  library.impl("depthwise_gelu", Differentiable);
  library.impl("_depthwise_gelu_backward",
               torch::autograd::autogradNotImplementedFallback());
}

}  // namespace

at::Tensor DepthwiseGelu(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias, Grid grid) {
  return Call(x, weight, bias, grid.height, grid.width);
}

}  // namespace groupmamba
