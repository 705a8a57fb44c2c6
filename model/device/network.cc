#include "model/device/network.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/linear.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace groupmamba::device {
namespace {

constexpr double kPatchNormEpsilon = 1e-5;

// The kernels read tokens in the memory of channels_last pictures.
at::Tensor Convolve(const at::Tensor& picture, const at::Tensor& weight) {
  return at::conv2d(picture, weight, /*bias=*/{}, /*stride=*/2, /*padding=*/1)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor ChannelsLast(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

absl::Status CheckSupported(const ModelConfig& config) {
  for (const int64_t width : config.widths) {
    if (LayoutOf(width).padded > 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("a stage of ", width,
                     " channels: on a GPU a group, a quarter of them, has at "
                     "most 128; use device cpu"));
  }
  return absl::OkStatus();
}

Network::Embedding Network::LoadEmbedding(const Device& device,
                                          const ParameterScope& scope,
                                          const ChannelLayout* from,
                                          const ChannelLayout& to) {
  const Linear projection(scope / "proj");  // a convolution's weight and bias
  at::Tensor weight = Pad(projection.weight, 0, to);
  if (from != nullptr) weight = Pad(weight, 1, *from);
  return {ChannelsLast(device.Operand(weight)),
          Norm(device, scope / "norm", to, kPatchNormEpsilon,
               Pad(projection.bias, 0, to))};
}

Network::Network(const ModelConfig& config, const BlockSpec& spec,
                 const TensorMap& weights, const Device& device)
    : device_(device), fp32_(device), normalise_(config.input) {
  fp32_.type = at::kFloat;
  const ParameterScope root(weights, "");
  const bool released = config.block == BlockForm::kReleased;
  for (const int index : {0, 3, 6}) {
    ConvBatchNormRelu convolution(
        root / absl::StrCat("patch_embed1.conv.", index),
        root / absl::StrCat("patch_embed1.conv.", index + 1),
        /*stride=*/index == 0 ? 2 : 1);
    convolution.Fold();
    convolution.weight = ChannelsLast(device.Operand(convolution.weight));
    convolution.bias = device.Operand(convolution.bias);
    stem_.push_back(convolution);
  }
  Shift shift;
  for (int s = 0; s < kStages; ++s) {
    Stage& stage = stages_[s];
    stage.layout = LayoutOf(config.widths[s]);
    stage.embedding.push_back(
        LoadEmbedding(device, root / absl::StrCat("patch_embed", s + 1),
                      s == 0 ? nullptr : &stages_[s - 1].layout, stage.layout));
    shift = {};
    for (int i = 0; i < config.depths[s]; ++i) {
      const ParameterScope scope = root / absl::StrCat("block", s + 1, ".", i);
      stage.blocks.push_back(
          released
              ? MakeReleasedBlock(device, scope, spec, stage.layout, &shift)
              : MakePaperBlock(device, scope, spec, stage.layout));
      stage.shifts.push_back(shift.row());
    }
    if (s < kStages - 1) {
      norms_.emplace_back(device, root / absl::StrCat("norm", s + 1),
                          stage.layout, spec.branch_norm_epsilon, shift.row());
    }
  }
  const ChannelLayout& last = stages_.back().layout;
  const Linear head(root / "head");
  head_weight_ = head.weight;
  head_bias_ = head.bias;
  if (released) {
    class_block_ =
        MakeClassBlock(fp32_, root / "post_network.0", spec, last, &shift);
    const Linear distillation(root / "dist_head");
    head_weight_ = (head.weight + distillation.weight) / 2;
    head_bias_ = (head.bias + distillation.bias) / 2;
  }
  norms_.emplace_back(fp32_, root / absl::StrCat("norm", kStages), last,
                      spec.branch_norm_epsilon, shift.row());
  head_weight_ = fp32_.Operand(Pad(head_weight_, 1, last));
  head_bias_ = fp32_.Operand(head_bias_);
}

Tokens Network::Embed(const Embedding& embedding,
                      const at::Tensor& picture) const {
  const at::Tensor y = Convolve(picture, embedding.weight);
  return {embedding.norm(device_, TokensOf(y)), {y.size(2), y.size(3)}};
}

at::Tensor Network::Classify(const at::Tensor& tokens) const {
  const at::Tensor token = TokenMean(device_, tokens);
  if (class_block_) class_block_->Forward(fp32_, token, {1, 1});
  return at::linear(norms_.back()(fp32_, token).squeeze(1), head_weight_,
                    head_bias_);
}

at::Tensor Network::Forward(const at::Tensor& pictures,
                            const Trace& trace) const {
  at::Tensor picture = normalise_(device_, pictures);
  for (const ConvBatchNormRelu& convolution : stem_) {
    picture = convolution(picture, ForwardOptions{});
  }
  for (int s = 0; s < kStages; ++s) {
    const Stage& stage = stages_[s];
    const Tokens tokens = Embed(stage.embedding[0], picture);
    for (size_t i = 0; i < stage.blocks.size(); ++i) {
      stage.blocks[i]->Forward(device_, tokens.x, tokens.grid);
      if (trace) {
        at::Tensor output = tokens.x.to(at::kCPU, at::kFloat);
        if (stage.shifts[i].defined()) output = output + stage.shifts[i];
        trace(s, static_cast<int>(i), Unpad(output, stage.layout));
      }
    }
    if (s == kStages - 1) return Classify(tokens.x);
    picture = PictureOf(norms_[s](device_, tokens.x), tokens.grid);
  }
  TORCH_CHECK(false, "a network has stages");
}

}  // namespace groupmamba::device
