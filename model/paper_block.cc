// The block of the paper's equations (Shaker et al., GroupMamba, CVPR 2025):
//
//   VSSS(Z):  Z' = Z + Mamba(LN(Z));  Z_out = Z' + FFN(LN(Z'))
//   X_GM  = Concat(VSSS(X_LR), VSSS(X_RL), VSSS(X_TB), VSSS(X_BT))
//   X_CAM = X_GM * sigmoid(W2 relu(W1 AvgPool(X_in)))
//   X_out = X_in + FFN(LN(X_CAM))

#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "absl/strings/str_cat.h"
#include "model/block.h"
#include "model/ss2d.h"

namespace groupmamba {
namespace {

// One group's visual single selective scan block.
class Vsss {
 public:
  Vsss(const ParameterScope& scope, const BlockSpec& spec,
       kernels::Direction direction)
      : norm1_(scope / "norm1", spec.branch_norm_epsilon),
        mamba_(scope / "mamba", direction),
        norm2_(scope / "norm2", spec.branch_norm_epsilon),
        ffn_(scope / "ffn") {}

  at::Tensor Forward(const at::Tensor& z, Grid grid) const {
    const at::Tensor mixed = z + mamba_(norm1_(z), grid);
    return mixed + ffn_(norm2_(mixed));
  }

 private:
  LayerNorm norm1_;
  Ss2d mamba_;
  LayerNorm norm2_;
  FeedForward ffn_;
};

class PaperBlock final : public Block {
 public:
  PaperBlock(const ParameterScope& scope, const BlockSpec& spec)
      : name_(scope.prefix()),
        affinity_(scope),
        norm_(scope / "norm", spec.branch_norm_epsilon),
        mlp_(scope / "mlp") {
    for (int g = 0; g < kGroups; ++g) {
      groups_.emplace_back(scope / absl::StrCat("vsss_g", g + 1), spec,
                           spec.directions[g]);
    }
  }

  at::Tensor Forward(const at::Tensor& x, Grid grid, double drop_path,
                     const ForwardOptions& options) const override {
    const std::vector<at::Tensor> inputs = x.chunk(kGroups, 2);
    std::vector<at::Tensor> outputs;
    outputs.reserve(kGroups);
    for (int g = 0; g < kGroups; ++g) {
      outputs.push_back(groups_[g].Forward(inputs[g], grid));
    }
    const at::Tensor modulated = at::cat(outputs, 2) * affinity_(x);
    const at::Tensor y = x + DropPath(mlp_(norm_(modulated)), drop_path);
    Trace(options, name_, y);
    return y;
  }

 private:
  std::string name_;
  std::vector<Vsss> groups_;
  ChannelAffinity affinity_;
  LayerNorm norm_;
  FeedForward mlp_;
};

}  // namespace

std::unique_ptr<Block> MakePaperBlock(const ParameterScope& scope,
                                      const BlockSpec& spec) {
  return std::make_unique<PaperBlock>(scope, spec);
}

}  // namespace groupmamba
