#include <vector>

#include "absl/strings/str_cat.h"
#include "model/cpu/blocks.h"

namespace groupmamba::cpu {
namespace {

// One group's visual single selective scan block.
class Vsss {
 public:
  Vsss(const WeightScope& scope, const BlockSpec& spec,
       kernels::Direction direction)
      : isa_(scope.isa()),
        norm1_(scope / "norm1", spec.branch_norm_epsilon),
        mamba_(scope / "mamba", direction),
        norm2_(scope / "norm2", spec.branch_norm_epsilon),
        ffn_(scope / "ffn", /*depthwise=*/false) {}

  // z, normed (memory for it) and out: the group's channels, `stride` floats a
  // token.
  void Forward(const float* z, Grid grid, Scratch& scratch, float* normed,
               float* out, int64_t stride) const {
    kernels::LayerNorm(isa_, grid.tokens(), width(), {z, stride},
                       norm1_.weights(), {normed, stride});
    mamba_.Forward(normed, stride, grid, scratch, /*residual=*/z, out, stride);
    kernels::LayerNorm(isa_, grid.tokens(), width(), {out, stride},
                       norm2_.weights(), {normed, stride});
    ffn_.Forward(normed, stride, grid, scratch, /*residual=*/out, out, stride);
  }

  int64_t width() const { return mamba_.width(); }

 private:
  kernels::Isa isa_;
  Norm norm1_;
  Ss2d mamba_;
  Norm norm2_;
  FeedForward ffn_;
};

class PaperBlock final : public Block {
 public:
  PaperBlock(const WeightScope& scope, const BlockSpec& spec)
      : isa_(scope.isa()),
        affinity_(scope, /*factor=*/1),
        norm_(scope / "norm", spec.branch_norm_epsilon),
        mlp_(scope / "mlp", /*depthwise=*/false) {
    for (int g = 0; g < kGroups; ++g) {
      groups_.emplace_back(scope / absl::StrCat("vsss_g", g + 1), spec,
                           spec.directions[g]);
    }
  }

  void Forward(Grid grid, Lane& lane, float* x) const override {
    const int64_t tokens = grid.tokens();
    const int64_t width = kGroups * groups_[0].width();
    float* const normed = lane.activations().normed.Reserve(tokens * width);
    float* const mixed = lane.activations().mixed.Reserve(tokens * width);
    float* const scale = lane.activations().scale.Reserve(width);
    affinity_.Forward(x, tokens, lane, scale);
    lane.For(kGroups, [&](int64_t g, Scratch& scratch) {
      const int64_t at = g * groups_[g].width();
      groups_[g].Forward(x + at, grid, scratch, normed + at, mixed + at, width);
    });
    ForPieces(lane, tokens, [&](int64_t first, int64_t count, Scratch&) {
      float* const piece = mixed + first * width;
      kernels::ScaleChannels(isa_, count, width, {piece, width}, scale,
                             {piece, width});
      kernels::LayerNorm(isa_, count, width, {piece, width}, norm_.weights(),
                         {normed + first * width, width});
    });
    mlp_.Forward(normed, width, grid, lane, /*residual=*/x, x, width);
  }

 private:
  kernels::Isa isa_;
  std::vector<Vsss> groups_;
  Affinity affinity_;
  Norm norm_;
  FeedForward mlp_;
};

}  // namespace

std::unique_ptr<Block> MakePaperBlock(const WeightScope& scope,
                                      const BlockSpec& spec) {
  return std::make_unique<PaperBlock>(scope, spec);
}

}  // namespace groupmamba::cpu
