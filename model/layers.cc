#include "model/layers.h"

#include "ATen/TensorOperators.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/addcmul.h"
#include "ATen/ops/batch_norm.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/layer_norm.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/relu.h"
#include "ATen/ops/sigmoid.h"
#include "ATen/ops/stack.h"
#include "absl/strings/str_cat.h"

namespace groupmamba {
namespace {

constexpr double kBatchNormEpsilon = 1e-5;
constexpr double kBatchNormMomentum = 0.1;
constexpr double kPatchNormEpsilon = 1e-5;

// The batch norm of all processes' pictures together, this one's part of it:
// at::batch_norm with the means of x and x^2 taken over the processes, in fp32
// whatever x is.
at::Tensor BatchNormOverProcesses(const ConvBatchNormRelu& layer,
                                  const at::Tensor& from,
                                  const ForwardOptions& options) {
  const at::Tensor x = from.to(at::kFloat);
  const int64_t channels = x.size(1);
  const at::Tensor moments = options.average_over_processes(
      at::stack({x.mean({0, 2, 3}), x.square().mean({0, 2, 3})}));
  const at::Tensor mean = moments[0];
  const at::Tensor variance = moments[1] - mean.square();
  {
    const at::NoGradGuard no_grad;
    // What is kept is the unbiased estimate, as at::batch_norm does it.
    const int64_t all = x.numel() / channels * options.processes;
    const auto count = static_cast<double>(all);
    layer.running_mean.lerp_(mean, kBatchNormMomentum);
    layer.running_var.lerp_(variance * (count / (count - 1)),
                            kBatchNormMomentum);
  }
  const at::Tensor scale =
      layer.norm_weight * (variance + kBatchNormEpsilon).rsqrt();
  const at::Tensor shift = layer.norm_bias - mean * scale;
  return at::addcmul(shift.view({1, -1, 1, 1}), x, scale.view({1, -1, 1, 1}))
      .to(from.scalar_type());
}

}  // namespace

ParameterScope ParameterScope::operator/(absl::string_view module) const {
  return ParameterScope(tensors_, prefix_.empty()
                                      ? std::string(module)
                                      : absl::StrCat(prefix_, ".", module));
}

const at::Tensor& ParameterScope::Get(absl::string_view parameter) const {
  const auto found = tensors_.find(absl::StrCat(prefix_, ".", parameter));
  TORCH_CHECK(found != tensors_.end(), "no parameter ", prefix_, ".",
              std::string(parameter));
  return found->second;
}

void Trace(const ForwardOptions& options, absl::string_view name,
           const at::Tensor& output) {
  if (options.trace) options.trace(name, output);
}

Linear::Linear(const ParameterScope& scope)
    : weight(scope.Get("weight")), bias(scope.Get("bias")) {}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return at::linear(x, weight, bias);
}

LayerNorm::LayerNorm(const ParameterScope& scope, double epsilon)
    : weight(scope.Get("weight")), bias(scope.Get("bias")), epsilon(epsilon) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {weight.size(0)}, weight, bias, epsilon);
}

DepthwiseConv::DepthwiseConv(const ParameterScope& scope)
    : weight(scope.Get("weight")), bias(scope.Get("bias")) {}

FeedForward::FeedForward(const ParameterScope& scope)
    : fc1(scope / "fc1"), fc2(scope / "fc2") {}

at::Tensor FeedForward::operator()(const at::Tensor& x) const {
  return fc2(at::gelu(fc1(x)));
}

ChannelAffinity::ChannelAffinity(const ParameterScope& scope)
    : fc1(scope / "fc1"), fc2(scope / "fc2") {}

at::Tensor ChannelAffinity::operator()(const at::Tensor& x) const {
  return at::sigmoid(fc2(at::relu(fc1(x.mean(1))))).unsqueeze(1);
}

ConvBatchNormRelu::ConvBatchNormRelu(const ParameterScope& conv,
                                     const ParameterScope& norm, int64_t stride)
    : weight(conv.Get("weight")),
      stride(stride),
      norm_weight(norm.Get("weight")),
      norm_bias(norm.Get("bias")),
      running_mean(norm.Get("running_mean")),
      running_var(norm.Get("running_var")) {}

at::Tensor ConvBatchNormRelu::operator()(const at::Tensor& x,
                                         const ForwardOptions& options) const {
  at::Tensor y = at::conv2d(x, weight, bias, stride,
                            /*padding=*/weight.size(2) / 2);
  if (options.training && options.average_over_processes) {
    y = BatchNormOverProcesses(*this, y, options);
  } else if (running_mean.defined()) {
    y = at::batch_norm(y, norm_weight, norm_bias, running_mean, running_var,
                       options.training, kBatchNormMomentum, kBatchNormEpsilon,
                       /*cudnn_enabled=*/true);
  }
  return at::relu(y);
}

void ConvBatchNormRelu::Fold() {
  if (!running_mean.defined()) return;
  const at::Tensor scale =
      norm_weight * (running_var + kBatchNormEpsilon).rsqrt();
  weight = weight * scale.view({-1, 1, 1, 1});
  bias = norm_bias - running_mean * scale;
  norm_weight = norm_bias = running_mean = running_var = at::Tensor();
}

PatchEmbedding::PatchEmbedding(const ParameterScope& scope)
    : weight((scope / "proj").Get("weight")),
      bias((scope / "proj").Get("bias")),
      norm(scope / "norm", kPatchNormEpsilon) {}

Tokens PatchEmbedding::operator()(const at::Tensor& picture) const {
  const at::Tensor y = at::conv2d(picture, weight, bias, /*stride=*/2,
                                  /*padding=*/1);
  return {norm(TokensOf(y)), {y.size(2), y.size(3)}};
}

Stem::Stem(const ParameterScope& scope)
    : convolutions{ConvBatchNormRelu(scope / "conv.0", scope / "conv.1",
                                     /*stride=*/2),
                   ConvBatchNormRelu(scope / "conv.3", scope / "conv.4",
                                     /*stride=*/1),
                   ConvBatchNormRelu(scope / "conv.6", scope / "conv.7",
                                     /*stride=*/1)},
      projection(scope) {}

Tokens Stem::operator()(const at::Tensor& picture,
                        const ForwardOptions& options) const {
  at::Tensor y = picture.contiguous(at::MemoryFormat::ChannelsLast);
  for (const ConvBatchNormRelu& convolution : convolutions) {
    y = convolution(y, options);
  }
  return projection(y);
}

at::Tensor DropPath(const at::Tensor& branch, double probability) {
  if (probability <= 0) return branch;
  const at::Tensor kept =
      at::empty({branch.size(0), 1, 1}, branch.options().requires_grad(false));
  return branch * kept.bernoulli_(1 - probability).div_(1 - probability);
}

}  // namespace groupmamba
