#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/cpu/blocks.h"

namespace groupmamba::cpu {
namespace {

std::vector<Ss2d> MakeGroups(const WeightScope& scope, const BlockSpec& spec) {
  std::vector<Ss2d> groups;
  groups.reserve(kGroups);
  for (int g = 0; g < kGroups; ++g) {
    groups.emplace_back(scope / absl::StrCat("mamba_g", g + 1),
                        spec.directions[g]);
  }
  return groups;
}

// n = norm(x);  y = norm(concat_g SS2D(n_g) * skip_scale * n * affinity(n));
// output = residual + y W + bias. The mutant without the second norm is
// model/released_block.cc's alone.
class Layer {
 public:
  Layer(const WeightScope& scope, const BlockSpec& spec)
      : norm_(scope / "norm", spec.layer_norm_epsilon),
        affinity_(scope, scope.Get("skip_scale")[0]),
        groups_(MakeGroups(scope, spec)),
        projection_(PackLinear(scope / "proj")) {}

  // x, out: [tokens, channels]. residual: null, or of the same shape; may be
  // out. Where `then` is not null, then(out) is left in activations().normed.
  void Forward(const float* x, Grid grid, Lane& lane, const float* residual,
               float* out, const Norm* then) const {
    const int64_t tokens = grid.tokens();
    const int64_t width = projection_.n();
    const kernels::Isa isa = projection_.isa();
    float* const normed = lane.activations().normed.Reserve(tokens * width);
    float* const mixed = lane.activations().mixed.Reserve(tokens * width);
    float* const scale = lane.activations().scale.Reserve(width);
    ForPieces(lane, tokens, [&](int64_t first, int64_t count, Scratch&) {
      const int64_t at = first * width;
      kernels::LayerNorm(isa, count, width, {x + at, width}, norm_.weights(),
                         {normed + at, width});
    });
    affinity_.Forward(normed, tokens, lane, scale);
    lane.For(kGroups, [&](int64_t g, Scratch& scratch) {
      const int64_t at = g * groups_[g].width();
      groups_[g].Forward(normed + at, width, grid, scratch,
                         /*residual=*/nullptr, mixed + at, width);
    });
    ForPieces(lane, tokens, [&](int64_t first, int64_t count, Scratch&) {
      const int64_t at = first * width;
      kernels::ModulatedLayerNorm(isa, count, width, {mixed + at, width},
                                  {normed + at, width}, scale, norm_.weights(),
                                  {mixed + at, width});
      Multiply({.data = mixed + at, .rows = count, .stride = width},
               projection_,
               {.residual = residual ? residual + at : nullptr,
                .residual_stride = width},
               out + at, width);
      if (then) {
        kernels::LayerNorm(isa, count, width, {out + at, width},
                           then->weights(), {normed + at, width});
      }
    });
  }

  int64_t width() const { return projection_.n(); }

 private:
  Norm norm_;
  Affinity affinity_;
  std::vector<Ss2d> groups_;
  kernels::PackedMatrix projection_;
};

class ReleasedBlock final : public Block {
 public:
  ReleasedBlock(const WeightScope& scope, const BlockSpec& spec)
      : layer_(scope / "attn", spec),
        norm2_(scope / "norm2", spec.branch_norm_epsilon),
        mlp_(scope / "mlp", /*depthwise=*/true) {}

  void Forward(Grid grid, Lane& lane, float* x) const override {
    const int64_t width = layer_.width();
    layer_.Forward(x, grid, lane, /*residual=*/x, x, &norm2_);
    const float* const normed =
        lane.activations().normed.Reserve(grid.tokens() * width);
    mlp_.Forward(normed, width, grid, lane, /*residual=*/x, x, width);
  }

 private:
  Layer layer_;
  Norm norm2_;
  FeedForward mlp_;
};

class ReleasedClassBlock final : public ClassBlock {
 public:
  ReleasedClassBlock(const WeightScope& scope, const BlockSpec& spec)
      : isa_(scope.isa()),
        layer_(scope / "attn", spec),
        norm1_(scope / "norm1", spec.branch_norm_epsilon),
        norm2_(scope / "norm2", spec.branch_norm_epsilon),
        mlp_(scope / "mlp", /*depthwise=*/false) {}

  float* Forward(Grid grid, Lane& lane, const float* x) const override {
    const int64_t width = layer_.width();
    const Grid one = {1, 1};
    float* const token = lane.activations().token.Reserve(2 * width);
    float* const branch = token + width;
    std::copy_n(MeanOverTokens(isa_, x, grid.tokens(), width, lane), width,
                token);
    layer_.Forward(token, one, lane, /*residual=*/nullptr, branch, &norm1_);
    const float* const normed = lane.activations().normed.Reserve(width);
    kernels::Add(isa_, 1, width, {token, width}, {normed, width},
                 {token, width});
    kernels::LayerNorm(isa_, 1, width, {token, width}, norm2_.weights(),
                       {branch, width});
    mlp_.Forward(branch, width, one, lane, /*residual=*/token, token, width);
    return token;
  }

 private:
  kernels::Isa isa_;
  Layer layer_;
  Norm norm1_;
  Norm norm2_;
  FeedForward mlp_;
};

}  // namespace

std::unique_ptr<Block> MakeReleasedBlock(const WeightScope& scope,
                                         const BlockSpec& spec) {
  return std::make_unique<ReleasedBlock>(scope, spec);
}

std::unique_ptr<ClassBlock> MakeClassBlock(const WeightScope& scope,
                                           const BlockSpec& spec) {
  return std::make_unique<ReleasedClassBlock>(scope, spec);
}

}  // namespace groupmamba::cpu
