// The block of the authors' code, which their checkpoints need. It differs from
// the paper's equations: the groups have neither residual nor feed-forward of
// their own, and the layer gates by its normalised input.

#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "absl/strings/str_cat.h"
#include "model/block.h"
#include "model/depthwise_op.h"
#include "model/ss2d.h"

namespace groupmamba {
namespace {

std::vector<Ss2d> MakeGroups(const ParameterScope& scope,
                             const BlockSpec& spec) {
  std::vector<Ss2d> groups;
  groups.reserve(kGroups);
  for (int g = 0; g < kGroups; ++g) {
    groups.emplace_back(scope / absl::StrCat("mamba_g", g + 1),
                        spec.directions[g]);
  }
  return groups;
}

// n = norm(x);  y = norm(concat_g SS2D(n_g) * skip_scale * n * affinity(n));
// output = y W + bias.
class GroupMambaLayer {
 public:
  GroupMambaLayer(const ParameterScope& scope, const BlockSpec& spec)
      : name_(scope.prefix()),
        norm_(scope / "norm", spec.layer_norm_epsilon),
        norm_before_projection_(spec.norm_before_projection),
        affinity_(scope),
        groups_(MakeGroups(scope, spec)),
        skip_scale_(scope.Get("skip_scale")),
        projection_(scope / "proj") {}

  at::Tensor Forward(const at::Tensor& x, Grid grid,
                     const ForwardOptions& options) const {
    const at::Tensor normed = norm_(x);
    const at::Tensor scale = affinity_(normed) * skip_scale_;
    const std::vector<at::Tensor> inputs = normed.chunk(kGroups, 2);
    std::vector<at::Tensor> outputs;
    for (int g = 0; g < kGroups; ++g) {
      outputs.push_back(groups_[g](inputs[g], grid));
      TraceGroup(options, g, grid, outputs.back());
    }
    at::Tensor y = at::cat(outputs, 2) * normed * scale;
    if (norm_before_projection_) y = norm_(y);
    y = projection_(y);
    Trace(options, name_, y);
    return y;
  }

 private:
  void TraceGroup(const ForwardOptions& options, int g, Grid grid,
                  const at::Tensor& output) const {
    if (!options.trace) return;
    Trace(options, absl::StrCat(name_, ".mamba_g", g + 1),
          output.view({output.size(0), grid.height, grid.width, -1}));
  }

  std::string name_;
  LayerNorm norm_;
  bool norm_before_projection_;
  ChannelAffinity affinity_;
  std::vector<Ss2d> groups_;
  at::Tensor skip_scale_;  // [1]
  Linear projection_;
};

// Feed-forward with a depthwise convolution before its gelu.
class ConvolutionalFeedForward {
 public:
  explicit ConvolutionalFeedForward(const ParameterScope& scope)
      : fc1_(scope / "fc1"),
        convolution_(scope / "dwconv.dwconv"),
        fc2_(scope / "fc2") {}

  at::Tensor Forward(const at::Tensor& x, Grid grid) const {
    return fc2_(
        DepthwiseGelu(fc1_(x), convolution_.weight, convolution_.bias, grid));
  }

 private:
  Linear fc1_;
  DepthwiseConv convolution_;
  Linear fc2_;
};

class ReleasedBlock final : public Block {
 public:
  ReleasedBlock(const ParameterScope& scope, const BlockSpec& spec)
      : name_(scope.prefix()),
        layer_(scope / "attn", spec),
        norm2_(scope / "norm2", spec.branch_norm_epsilon),
        mlp_(scope / "mlp") {}

  at::Tensor Forward(const at::Tensor& x, Grid grid, double drop_path,
                     const ForwardOptions& options) const override {
    at::Tensor y = x + DropPath(layer_.Forward(x, grid, options), drop_path);
    y = y + DropPath(mlp_.Forward(norm2_(y), grid), drop_path);
    Trace(options, name_, y);
    return y;
  }

 private:
  std::string name_;
  GroupMambaLayer layer_;
  LayerNorm norm2_;
  ConvolutionalFeedForward mlp_;
};

class ReleasedClassBlock final : public ClassBlock {
 public:
  ReleasedClassBlock(const ParameterScope& scope, const BlockSpec& spec)
      : name_(scope.prefix()),
        layer_(scope / "attn", spec),
        norm1_(scope / "norm1", spec.branch_norm_epsilon),
        norm2_(scope / "norm2", spec.branch_norm_epsilon),
        mlp_(scope / "mlp") {}

  at::Tensor Forward(const at::Tensor& x,
                     const ForwardOptions& options) const override {
    at::Tensor token = x.mean(1, /*keepdim=*/true);
    ForwardOptions untraced = options;
    untraced.trace = nullptr;  // only the block's own output has a name
    token = token + norm1_(layer_.Forward(token, {1, 1}, untraced));
    token = token + mlp_(norm2_(token));
    if (options.trace) Trace(options, name_, at::cat({token, x}, 1));
    return token.squeeze(1);
  }

 private:
  std::string name_;
  GroupMambaLayer layer_;
  LayerNorm norm1_;
  LayerNorm norm2_;
  FeedForward mlp_;
};

}  // namespace

std::unique_ptr<Block> MakeReleasedBlock(const ParameterScope& scope,
                                         const BlockSpec& spec) {
  return std::make_unique<ReleasedBlock>(scope, spec);
}

std::unique_ptr<ClassBlock> MakeClassBlock(const ParameterScope& scope,
                                           const BlockSpec& spec) {
  return std::make_unique<ReleasedClassBlock>(scope, spec);
}

}  // namespace groupmamba
