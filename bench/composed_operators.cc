#include "bench/composed_operators.h"

#include "ATen/ops/conv2d.h"
#include "ATen/ops/gelu.h"
#include "model/picture_tokens.h"
#include "model/ss2d_composition.h"

namespace groupmamba::bench {
namespace {

at::Tensor ComposeCore(const at::Tensor& xz, at::TensorList p, int64_t height,
                       int64_t width, int64_t direction, double epsilon) {
  return Ss2dComposition(
      xz, {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]},
      {height, width}, static_cast<kernels::Direction>(direction), epsilon);
}

at::Tensor ComposeDepthwiseGelu(const at::Tensor& x, const at::Tensor& weight,
                                const at::Tensor& bias, int64_t height,
                                int64_t width) {
  return TokensOf(at::gelu(at::conv2d(PictureOf(x, {height, width}), weight,
                                      bias, /*stride=*/1, /*padding=*/1,
                                      /*dilation=*/1,
                                      /*groups=*/weight.size(0))));
}

}  // namespace

// AutogradCPU comes before the kernels that are there for every Autograd key.
ComposedOperators::ComposedOperators(bool everything)
    : override_(torch::Library::IMPL, "groupmamba",
                c10::DispatchKey::AutogradCPU, __FILE__, __LINE__) {
  override_.impl("ss2d_core", ComposeCore);
  if (everything) override_.impl("depthwise_gelu", ComposeDepthwiseGelu);
}

}  // namespace groupmamba::bench
