// The small layers that both block forms are made of. Each holds handles to its
// parameters (shared, not copied) and composes LibTorch operators, so that the
// same code runs on any device and under autograd.
//
// Token tensors are [batch, tokens, channels] in fp32, channels adjacent, with
// tokens row-major: token = row * width + column. A convolution sees the same
// memory as a channels_last picture, so nothing is transposed on the way.

#ifndef GROUPMAMBA_MODEL_LAYERS_H_
#define GROUPMAMBA_MODEL_LAYERS_H_

#include <array>
#include <cstdint>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/strings/string_view.h"
#include "model/grid.h"
#include "model/network.h"
#include "model/picture_tokens.h"

namespace groupmamba {

// Picks the parameters of one module out of a state dict whose names and shapes
// have been checked; a missing name is a broken invariant and aborts.
class ParameterScope {
 public:
  // `tensors` must outlive the scope. `prefix` is empty or a module's name.
  ParameterScope(const TensorMap& tensors, std::string prefix)
      : tensors_(tensors), prefix_(std::move(prefix)) {}

  // The module below this one.
  ParameterScope operator/(absl::string_view module) const;

  const at::Tensor& Get(absl::string_view parameter) const;

  const std::string& prefix() const { return prefix_; }

 private:
  const TensorMap& tensors_;
  std::string prefix_;
};

struct Tokens {
  at::Tensor x;  // [batch, tokens, channels]
  Grid grid;
};

// Module outputs go to ForwardOptions::trace, when there is one.
void Trace(const ForwardOptions& options, absl::string_view name,
           const at::Tensor& output);

// y = x W^T + bias; [.., in] to [.., out].
struct Linear {
  explicit Linear(const ParameterScope& scope);
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight;  // [out, in]
  at::Tensor bias;    // [out]
};

// Normalises every token over its channels (population variance), then scales
// and shifts.
struct LayerNorm {
  LayerNorm(const ParameterScope& scope, double epsilon);
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight;  // [channels]
  at::Tensor bias;    // [channels]
  double epsilon;
};

// 3x3 with stride 1 and zero padding 1, every channel by itself.
struct DepthwiseConv {
  explicit DepthwiseConv(const ParameterScope& scope);

  at::Tensor weight;  // [channels, 1, 3, 3]
  at::Tensor bias;    // [channels]
};

// W2 gelu(W1 x + b1) + b2, with the exact gelu (erf).
struct FeedForward {
  explicit FeedForward(const ParameterScope& scope);
  at::Tensor operator()(const at::Tensor& x) const;

  Linear fc1;
  Linear fc2;
};

// Weighs channels by a summary of the picture: sigmoid(W2 relu(W1 mean(x))),
// the mean over tokens. [batch, tokens, channels] to [batch, 1, channels].
struct ChannelAffinity {
  explicit ChannelAffinity(const ParameterScope& scope);
  at::Tensor operator()(const at::Tensor& x) const;

  Linear fc1;
  Linear fc2;
};

// Convolution without bias, batch norm (epsilon 1e-5, momentum 0.1), ReLU.
// Pictures are [batch, channels, height, width] in channels_last memory.
struct ConvBatchNormRelu {
  // The convolution's and the norm's own scopes; padding is half the kernel.
  ConvBatchNormRelu(const ParameterScope& conv, const ParameterScope& norm,
                    int64_t stride);
  at::Tensor operator()(const at::Tensor& x,
                        const ForwardOptions& options) const;

  // Puts the running statistics into the convolution. Training is over then.
  void Fold();

  at::Tensor weight;  // [out, in, k, k]
  at::Tensor bias;    // [out]; undefined until folded
  int64_t stride;
  // Undefined once folded. [out] each.
  at::Tensor norm_weight, norm_bias, running_mean, running_var;
};

// Convolution 3x3 with stride 2, then a LayerNorm: halves (rounding up) height
// and width and leaves tokens.
struct PatchEmbedding {
  explicit PatchEmbedding(const ParameterScope& scope);
  Tokens operator()(const at::Tensor& picture) const;

  at::Tensor weight;  // [out, in, 3, 3]
  at::Tensor bias;    // [out]
  LayerNorm norm;
};

// Picture to the first stage's tokens, a quarter of its height and width.
struct Stem {
  explicit Stem(const ParameterScope& scope);
  Tokens operator()(const at::Tensor& picture,
                    const ForwardOptions& options) const;

  std::array<ConvBatchNormRelu, 3> convolutions;
  PatchEmbedding projection;
};

// While training, leaves the branch out for each picture of the batch with the
// given probability, and scales it up where it stays. Zero: `branch` itself.
at::Tensor DropPath(const at::Tensor& branch, double probability);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_LAYERS_H_
