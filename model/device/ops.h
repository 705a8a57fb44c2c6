// The operations that the network on a device is composed of: LibTorch's matrix
// products and convolutions, and around them the kernels of kernels/cuda/, on
// LibTorch's current stream.
//
// Token tensors are [batch, tokens, row] in the device's storage, contiguous,
// tokens row-major; `row` is the padded row of a ChannelLayout, with zeros as
// padding. What works group by group is planar: [group, batch * tokens,
// padded], so that the four groups are one batched product.
//
// Errors are thrown, as LibTorch does: c10::Error.

#ifndef GROUPMAMBA_MODEL_DEVICE_OPS_H_
#define GROUPMAMBA_MODEL_DEVICE_OPS_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "model/block_spec.h"
#include "model/device/device.h"
#include "model/layers.h"

namespace groupmamba::device {

using cuda::ChannelLayout;

// How `channels` channels in `groups` groups are stored.
ChannelLayout LayoutOf(int64_t channels);
ChannelLayout OneGroup(const ChannelLayout& layout);

// Dimension `dim`, which has the true channels, with padding.
at::Tensor Pad(const at::Tensor& x, int64_t dim, const ChannelLayout& layout);
// The same without: for traces.
at::Tensor Unpad(const at::Tensor& x, const ChannelLayout& layout);
// Dimension `dim` as one group with padding to a multiple of 8.
ChannelLayout HiddenLayout(int64_t hidden);

// Pictures [batch, height, width, 3] of bytes, normalised, as [batch, 3,
// height, width] in channels_last memory.
struct Normalise {
  explicit Normalise(const InputConfig& input);
  at::Tensor operator()(const Device& device, const at::Tensor& pictures) const;

  float scale[3], shift[3];
};

// layer_norm(x + shift), by token.
struct Norm {
  // `shift` is a padded row in fp32, or undefined.
  Norm(const Device& device, const ParameterScope& scope,
       const ChannelLayout& layout, double epsilon,
       const at::Tensor& shift = {});

  // `sums`: null, or becomes the result's sums over parts of the tokens
  // [batch, parts, row], in fp32. `out`: undefined, or where it goes.
  at::Tensor operator()(const Device& device, const at::Tensor& x,
                        at::Tensor* sums = nullptr, at::Tensor out = {}) const;

  ChannelLayout layout;
  float epsilon;
  at::Tensor weight, bias, shift;
};

// layer_norm(y * x * scale), by token; y planar; x may be undefined: ones.
// `scale` [batch, row]. The norm's shift is not applied.
at::Tensor GatedNorm(const Device& device, const Norm& norm,
                     const at::Tensor& y, const at::Tensor& x,
                     const at::Tensor& scale, int64_t batch);

// Weighs channels by the mean over tokens: ChannelAffinity of model/layers.h.
struct Affinity {
  Affinity(const Device& device, const ParameterScope& scope,
           const ChannelLayout& layout);
  // sums [batch, parts, row] over `tokens` tokens; returns [batch, row], fp32.
  at::Tensor operator()(const Device& device, const at::Tensor& sums,
                        int64_t tokens) const;

  at::Tensor weight1, bias1, weight2, bias2;
};

// The mean over tokens: [batch, 1, row], fp32.
at::Tensor TokenMean(const Device& device, const at::Tensor& x);

// The four groups' SS2D (model/ss2d.h).
class GroupedSs2d {
 public:
  // Scopes of the groups: `prefix` with 1 to 4 and `suffix`. `factor` weighs
  // the output.
  GroupedSs2d(const Device& device, const ParameterScope& scope,
              const char* prefix, const char* suffix, const BlockSpec& spec,
              const ChannelLayout& layout, const at::Tensor& factor = {});

  // x: planar, any stride between groups and tokens. Returns what out_proj
  // takes, planar.
  at::Tensor operator()(const Device& device, const at::Tensor& x,
                        int64_t batch, Grid grid) const;

  // [group, padded, padded]: out_proj, to be multiplied from the right.
  const at::Tensor& output() const { return output_; }

 private:
  cuda::Ss2dShape shape_;  // without batch and picture
  at::Tensor input_;       // [group, padded, 2 * padded]
  at::Tensor output_;
  at::Tensor parameters_;  // packed
  // Zero between launches. Where the last is too short another one follows; the
  // earlier stay, since a graph may hold them. So a network runs one forward at
  // a time.
  mutable std::vector<at::Tensor> scratch_;
};

// gelu(depthwise3x3(x)).
struct DepthwiseGelu {
  DepthwiseGelu(const Device& device, const ParameterScope& scope,
                const ChannelLayout& layout);
  at::Tensor operator()(const Device& device, const at::Tensor& x,
                        Grid grid) const;

  at::Tensor weight, bias;
};

}  // namespace groupmamba::device

#endif  // GROUPMAMBA_MODEL_DEVICE_OPS_H_
