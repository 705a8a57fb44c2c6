// model/released_block.cc on a device.

#include "ATen/TensorOperators.h"
#include "ATen/ops/addmm.h"
#include "ATen/ops/bmm.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/linear.h"
#include "model/device/blocks.h"

namespace groupmamba::device {
namespace {

// n = norm(x);  y = norm(concat_g SS2D(n_g) * skip_scale * n * affinity(n)),
// which the projection is to take.
class Layer {
 public:
  Layer(const Device& device, const ParameterScope& scope,
        const BlockSpec& spec, const ChannelLayout& layout,
        const at::Tensor& shift)
      : norm_(device, scope / "norm", layout, spec.layer_norm_epsilon, shift),
        affinity_(device, scope, layout),
        groups_(device, scope, "mamba_g", "", spec, layout,
                /*factor=*/scope.Get("skip_scale")),
        projection_(device.Operand(
            Pad(Pad((scope / "proj").Get("weight"), 1, layout), 0, layout))),
        bias_(Pad((scope / "proj").Get("bias"), 0, layout)) {}

  at::Tensor Forward(const Device& device, const at::Tensor& x,
                     Grid grid) const {
    const int64_t batch = x.size(0), tokens = x.size(1);
    at::Tensor sums;
    const at::Tensor normed = norm_(device, x, &sums);
    const at::Tensor scale = affinity_(device, sums, tokens);
    const at::Tensor planar =
        normed.view({batch * tokens, kGroups, -1}).transpose(0, 1);
    const at::Tensor mixed = groups_(device, planar, batch, grid);
    return GatedNorm(device, norm_, at::bmm(mixed, groups_.output()), normed,
                     scale, batch);
  }

  const at::Tensor& projection() const { return projection_; }  // [out, in]
  const at::Tensor& bias() const { return bias_; }  // on the processor

 private:
  Norm norm_;
  Affinity affinity_;
  GroupedSs2d groups_;
  at::Tensor projection_;
  at::Tensor bias_;
};

// The two products of a feed-forward.
struct Products {
  Products(const Device& device, const ParameterScope& scope,
           const ChannelLayout& layout)
      : hidden(HiddenLayout((scope / "fc1").Get("bias").size(0))),
        weight1(device.Operand(
            Pad(Pad((scope / "fc1").Get("weight"), 1, layout), 0, hidden))),
        bias1(device.Operand(Pad((scope / "fc1").Get("bias"), 0, hidden))),
        weight2(device.Operand(
            Pad(Pad((scope / "fc2").Get("weight"), 1, hidden), 0, layout))),
        bias2(Pad((scope / "fc2").Get("bias"), 0, layout)) {}

  ChannelLayout hidden;
  at::Tensor weight1, bias1, weight2;
  at::Tensor bias2;  // on the processor
};

// x += y W^T, in the product.
void AddProduct(const at::Tensor& x, const at::Tensor& y,
                const at::Tensor& weight) {
  x.view({-1, x.size(2)}).addmm_(y.view({-1, y.size(2)}), weight.t());
}

class ReleasedBlock final : public Block {
 public:
  ReleasedBlock(const Device& device, const ParameterScope& scope,
                const BlockSpec& spec, const ChannelLayout& layout,
                Shift* shift)
      : layer_(device, scope / "attn", spec, layout, shift->row()),
        norm2_(device, scope / "norm2", layout, spec.branch_norm_epsilon,
               After(layer_.bias(), shift)),
        mlp_(device, scope / "mlp", layout),
        depthwise_(device, scope / "mlp" / "dwconv" / "dwconv", mlp_.hidden) {
    shift->Add(mlp_.bias2);
  }

  void Forward(const Device& device, const at::Tensor& x,
               Grid grid) const override {
    AddProduct(x, layer_.Forward(device, x, grid), layer_.projection());
    const at::Tensor hidden =
        at::linear(norm2_(device, x), mlp_.weight1, mlp_.bias1);
    AddProduct(x, depthwise_(device, hidden, grid), mlp_.weight2);
  }

 private:
  static const at::Tensor& After(const at::Tensor& bias, Shift* shift) {
    shift->Add(bias);
    return shift->row();
  }

  Layer layer_;
  Norm norm2_;
  Products mlp_;
  DepthwiseGelu depthwise_;
};

class ReleasedClassBlock final : public Block {
 public:
  ReleasedClassBlock(const Device& device, const ParameterScope& scope,
                     const BlockSpec& spec, const ChannelLayout& layout,
                     Shift* shift)
      : layer_(device, scope / "attn", spec, layout, shift->row()),
        norm1_(device, scope / "norm1", layout, spec.branch_norm_epsilon,
               layer_.bias()),
        norm2_(device, scope / "norm2", layout, spec.branch_norm_epsilon,
               shift->row()),
        mlp_(device, scope / "mlp", layout) {
    shift->Add(mlp_.bias2);
  }

  void Forward(const Device& device, const at::Tensor& x,
               Grid grid) const override {
    x.add_(norm1_(device, at::linear(layer_.Forward(device, x, grid),
                                     layer_.projection())));
    const at::Tensor hidden =
        at::gelu(at::linear(norm2_(device, x), mlp_.weight1, mlp_.bias1));
    AddProduct(x, hidden, mlp_.weight2);
  }

 private:
  Layer layer_;
  Norm norm1_, norm2_;
  Products mlp_;
};

}  // namespace

std::unique_ptr<Block> MakeReleasedBlock(const Device& device,
                                         const ParameterScope& scope,
                                         const BlockSpec& spec,
                                         const ChannelLayout& layout,
                                         Shift* shift) {
  return std::make_unique<ReleasedBlock>(device, scope, spec, layout, shift);
}

std::unique_ptr<Block> MakeClassBlock(const Device& device,
                                      const ParameterScope& scope,
                                      const BlockSpec& spec,
                                      const ChannelLayout& layout,
                                      Shift* shift) {
  return std::make_unique<ReleasedClassBlock>(device, scope, spec, layout,
                                              shift);
}

}  // namespace groupmamba::device
