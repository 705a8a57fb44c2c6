// model/paper_block.cc on a device. The groups are planar from the block's
// beginning to the norm after it. It has more launches than the released form:
// what the groups have of their own runs group by group where LibTorch has no
// batched form.

#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/baddbmm.h"
#include "ATen/ops/empty_like.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/stack.h"
#include "absl/strings/str_cat.h"
#include "model/device/blocks.h"

namespace groupmamba::device {
namespace {

class PaperBlock final : public Block {
 public:
  PaperBlock(const Device& device, const ParameterScope& scope,
             const BlockSpec& spec, const ChannelLayout& layout)
      : affinity_(device, scope, layout),
        mamba_(device, scope, "vsss_g", ".mamba", spec, layout),
        norm_(device, scope / "norm", layout, spec.branch_norm_epsilon) {
    const ChannelLayout group = OneGroup(layout);
    std::vector<at::Tensor> weight1, bias1, weight2, bias2;
    for (int g = 0; g < kGroups; ++g) {
      const ParameterScope vsss = scope / absl::StrCat("vsss_g", g + 1);
      norm1_.emplace_back(device, vsss / "norm1", group,
                          spec.branch_norm_epsilon);
      norm2_.emplace_back(device, vsss / "norm2", group,
                          spec.branch_norm_epsilon);
      const FeedForward ffn(vsss / "ffn");
      const ChannelLayout hidden = HiddenLayout(ffn.fc1.bias.size(0));
      weight1.push_back(Pad(Pad(ffn.fc1.weight, 1, group), 0, hidden).t());
      bias1.push_back(Pad(ffn.fc1.bias, 0, hidden).unsqueeze(0));
      weight2.push_back(Pad(Pad(ffn.fc2.weight, 1, hidden), 0, group).t());
      bias2.push_back(Pad(ffn.fc2.bias, 0, group).unsqueeze(0));
    }
    weight1_ = device.Operand(at::stack(weight1));
    bias1_ = device.Operand(at::stack(bias1));
    weight2_ = device.Operand(at::stack(weight2));
    bias2_ = device.Operand(at::stack(bias2));
    const FeedForward mlp(scope / "mlp");
    mlp_weight1_ = device.Operand(Pad(mlp.fc1.weight, 1, layout));
    mlp_bias1_ = device.Operand(mlp.fc1.bias);
    mlp_weight2_ = device.Operand(Pad(mlp.fc2.weight, 0, layout));
    mlp_bias2_ = device.Operand(Pad(mlp.fc2.bias, 0, layout));
  }

  void Forward(const Device& device, const at::Tensor& x,
               Grid grid) const override {
    const int64_t batch = x.size(0), tokens = x.size(1);
    at::Tensor z =
        x.view({batch * tokens, kGroups, -1}).transpose(0, 1).contiguous();
    z.baddbmm_(mamba_(device, NormGroups(device, norm1_, z), batch, grid),
               mamba_.output());
    const at::Tensor hidden =
        at::gelu(at::baddbmm(bias1_, NormGroups(device, norm2_, z), weight1_));
    z.baddbmm_(hidden, weight2_).add_(bias2_);
    const at::Tensor scale = affinity_(device, TokenMean(device, x), 1);
    const at::Tensor normed = GatedNorm(device, norm_, z, {}, scale, batch);
    x.add_(at::linear(at::gelu(at::linear(normed, mlp_weight1_, mlp_bias1_)),
                      mlp_weight2_, mlp_bias2_));
  }

 private:
  static at::Tensor NormGroups(const Device& device,
                               const std::vector<Norm>& norms,
                               const at::Tensor& z) {
    const at::Tensor out = at::empty_like(z);
    for (int g = 0; g < kGroups; ++g) {
      norms[g](device, z.narrow(0, g, 1), nullptr, out.narrow(0, g, 1));
    }
    return out;
  }

  Affinity affinity_;
  std::vector<Norm> norm1_, norm2_;
  GroupedSs2d mamba_;
  at::Tensor weight1_, bias1_, weight2_, bias2_;  // of the groups' FFN
  Norm norm_;
  at::Tensor mlp_weight1_, mlp_bias1_, mlp_weight2_, mlp_bias2_;
};

}  // namespace

std::unique_ptr<Block> MakePaperBlock(const Device& device,
                                      const ParameterScope& scope,
                                      const BlockSpec& spec,
                                      const ChannelLayout& layout) {
  return std::make_unique<PaperBlock>(device, scope, spec, layout);
}

}  // namespace groupmamba::device
