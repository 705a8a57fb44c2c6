#include "model/network.h"

#include <utility>
#include <vector>

#include "ATen/TensorOperators.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "model/block.h"
#include "model/layers.h"
#include "model/manifest.h"
#include "model/network_spec.h"

namespace groupmamba {
namespace {

// Every parameter and buffer is there, in fp32 and with its shape.
absl::Status CheckTensors(const ModelConfig& config, const TensorMap& tensors) {
  for (const ParameterSpec& spec : ListParameters(config)) {
    if (spec.kind == ParameterSpec::Kind::kCounter) continue;
    const auto found = tensors.find(spec.name);
    if (found == tensors.end() || !found->second.defined()) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", spec.name, " is missing"));
    }
    const at::Tensor& tensor = found->second;
    if (tensor.scalar_type() != at::kFloat) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", spec.name, " is not fp32"));
    }
    if (tensor.sizes() != at::IntArrayRef(spec.shape)) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", spec.name, " has shape [",
                       absl::StrJoin(tensor.sizes(), ", "), "] instead of [",
                       absl::StrJoin(spec.shape, ", "), "]"));
    }
  }
  return absl::OkStatus();
}

class GroupMamba final : public Network {
 public:
  GroupMamba(const ModelConfig& config, const BlockSpec& spec,
             const TensorMap& tensors);

  HeadLogits Forward(const at::Tensor& x,
                     const ForwardOptions& options) const override;

  void FoldBatchNorms() override {
    for (ConvBatchNormRelu& convolution : stem_.convolutions) {
      convolution.Fold();
    }
  }

 private:
  // Tokens of the last stage.
  at::Tensor Features(const at::Tensor& x, const ForwardOptions& options) const;

  Stem stem_;
  std::vector<PatchEmbedding> downsampling_;  // between the stages
  std::array<std::vector<std::unique_ptr<Block>>, kStages> stages_;
  int last_block_ = 0;  // counted from 0 through all stages
  std::vector<LayerNorm>
      norms_;  // after each stage; the last one after the mean
  std::unique_ptr<ClassBlock> class_block_;            // the released form only
  std::vector<std::pair<std::string, Linear>> heads_;  // with their names
};

GroupMamba::GroupMamba(const ModelConfig& config, const BlockSpec& spec,
                       const TensorMap& tensors)
    : stem_(ParameterScope(tensors, "patch_embed1")) {
  const ParameterScope root(tensors, "");
  const bool released = config.block == BlockForm::kReleased;
  for (int s = 0; s < kStages; ++s) {
    if (s > 0) {
      downsampling_.emplace_back(root / absl::StrCat("patch_embed", s + 1));
    }
    for (int i = 0; i < config.depths[s]; ++i) {
      const ParameterScope scope = root / absl::StrCat("block", s + 1, ".", i);
      stages_[s].push_back(released ? MakeReleasedBlock(scope, spec)
                                    : MakePaperBlock(scope, spec));
    }
    last_block_ += config.depths[s];
    norms_.emplace_back(root / absl::StrCat("norm", s + 1),
                        spec.branch_norm_epsilon);
  }
  --last_block_;
  heads_.emplace_back("head", root / "head");
  if (released) {
    class_block_ = MakeClassBlock(root / "post_network.0", spec);
    heads_.emplace_back("dist_head", root / "dist_head");
  }
}

at::Tensor GroupMamba::Features(const at::Tensor& x,
                                const ForwardOptions& options) const {
  Tokens tokens = stem_(x, options);
  int block = 0;
  for (int s = 0; s < kStages; ++s) {
    if (s > 0) {
      tokens = downsampling_[s - 1](PictureOf(tokens.x, tokens.grid));
    }
    Trace(options, absl::StrCat("patch_embed", s + 1), tokens.x);
    for (const std::unique_ptr<Block>& member : stages_[s]) {
      const double drop_path = options.training && block > 0
                                   ? options.drop_path * block / last_block_
                                   : 0;
      tokens.x = member->Forward(tokens.x, tokens.grid, drop_path, options);
      ++block;
    }
    if (s < kStages - 1) {
      tokens.x = norms_[s](tokens.x);
      Trace(options, absl::StrCat("norm", s + 1), tokens.x);
    }
  }
  return tokens.x;
}

HeadLogits GroupMamba::Forward(const at::Tensor& x,
                               const ForwardOptions& options) const {
  const at::Tensor tokens = Features(x, options);
  const at::Tensor summary = norms_.back()(
      class_block_ ? class_block_->Forward(tokens, options) : tokens.mean(1));
  Trace(options, "norm4", summary);
  std::array<at::Tensor, 2> logits;
  for (size_t i = 0; i < heads_.size(); ++i) {
    logits[i] = heads_[i].second(summary);
    Trace(options, heads_[i].first, logits[i]);
  }
  return {.head = logits[0], .distillation = logits[1]};
}

}  // namespace

at::Tensor HeadLogits::Mean() const {
  return distillation.defined() ? (head + distillation) / 2 : head;
}

absl::StatusOr<std::unique_ptr<Network>> CreateNetwork(
    const ModelConfig& config, const BlockSpec& spec,
    const TensorMap& tensors) {
  GM_RETURN_IF_ERROR(CheckTensors(config, tensors));
  return std::make_unique<GroupMamba>(config, spec, tensors);
}

absl::StatusOr<std::unique_ptr<Network>> Network::Create(
    const ModelConfig& config, TensorMap tensors) {
  return CreateNetwork(config, SpecOf(config.block), tensors);
}

}  // namespace groupmamba
