#include "model/manifest.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupmamba {
namespace {

using Kind = ParameterSpec::Kind;

// dt's rank for a group of `width` channels: ceil(width / 16).
int64_t TimeStepRank(int64_t width) { return (width + 15) / 16; }

// Hidden width of the channel affinity: a sixteenth.
int64_t AffinityWidth(int64_t width) {
  return std::max<int64_t>(1, width / 16);
}

// Collects the specs; `prefix` is the module's name without the last dot.
class Lister {
 public:
  std::vector<ParameterSpec> Take() { return std::move(specs_); }

  void Add(std::string name, std::vector<int64_t> shape,
           Kind kind = Kind::kParameter) {
    specs_.push_back({std::move(name), std::move(shape), kind});
  }

  // Any module with a weight of `shape` and a bias of its first dimension.
  void AddWithBias(const std::string& prefix, std::vector<int64_t> shape) {
    const int64_t outputs = shape[0];
    Add(prefix + ".weight", std::move(shape));
    Add(prefix + ".bias", {outputs});
  }

  void AddNorm(const std::string& prefix, int64_t width) {
    AddWithBias(prefix, {width});
  }

  void AddBatchNorm(const std::string& prefix, int64_t width) {
    AddNorm(prefix, width);
    Add(prefix + ".running_mean", {width}, Kind::kBuffer);
    Add(prefix + ".running_var", {width}, Kind::kBuffer);
    Add(prefix + ".num_batches_tracked", {}, Kind::kCounter);
  }

  // Convolutions without a bias, each with its batch norm, then a projection;
  // the gaps in the numbers are the activations.
  void AddStem(int64_t stem_width, int64_t width) {
    Add("patch_embed1.conv.0.weight", {stem_width, 3, 7, 7});
    AddBatchNorm("patch_embed1.conv.1", stem_width);
    for (const int index : {3, 6}) {
      Add(absl::StrCat("patch_embed1.conv.", index, ".weight"),
          {stem_width, stem_width, 3, 3});
      AddBatchNorm(absl::StrCat("patch_embed1.conv.", index + 1), stem_width);
    }
    AddProjection("patch_embed1", stem_width, width);
  }

  void AddProjection(const std::string& prefix, int64_t from, int64_t to) {
    AddWithBias(prefix + ".proj", {to, from, 3, 3});
    AddNorm(prefix + ".norm", to);
  }

  // SS2D: one direction's selective scan with what surrounds it.
  void AddMamba(const std::string& prefix, int64_t width) {
    const int64_t rank = TimeStepRank(width);
    Add(prefix + ".x_proj_weight", {1, rank + 2, width});
    Add(prefix + ".dt_projs_weight", {1, width, rank});
    Add(prefix + ".dt_projs_bias", {1, width});
    Add(prefix + ".A_logs", {width, 1});
    Add(prefix + ".Ds", {width});
    AddNorm(prefix + ".out_norm", width);
    Add(prefix + ".in_proj.weight", {2 * width, width});
    AddWithBias(prefix + ".conv2d", {width, 1, 3, 3});
    Add(prefix + ".out_proj.weight", {width, width});
  }

  void AddAffinity(const std::string& prefix, int64_t width) {
    AddWithBias(prefix + ".fc1", {AffinityWidth(width), width});
    AddWithBias(prefix + ".fc2", {width, AffinityWidth(width)});
  }

  void AddMlp(const std::string& prefix, int64_t width, int64_t hidden,
              bool depthwise) {
    AddWithBias(prefix + ".fc1", {hidden, width});
    if (depthwise) AddWithBias(prefix + ".dwconv.dwconv", {hidden, 1, 3, 3});
    AddWithBias(prefix + ".fc2", {width, hidden});
  }

  // The released layer, without the norm before it.
  void AddReleasedLayer(const std::string& prefix, int64_t width) {
    Add(prefix + ".skip_scale", {1});
    AddAffinity(prefix, width);
    AddNorm(prefix + ".norm", width);
    for (int group = 1; group <= kGroups; ++group) {
      AddMamba(absl::StrCat(prefix, ".mamba_g", group), width / kGroups);
    }
    AddWithBias(prefix + ".proj", {width, width});
  }

  void AddReleasedBlock(const std::string& prefix, int64_t width,
                        int64_t mlp_ratio) {
    AddNorm(prefix + ".norm2", width);
    AddReleasedLayer(prefix + ".attn", width);
    AddMlp(prefix + ".mlp", width, mlp_ratio * width, /*depthwise=*/true);
  }

  // The class token's block, after the last stage.
  void AddClassBlock(const std::string& prefix, int64_t width,
                     int64_t mlp_ratio) {
    AddNorm(prefix + ".norm1", width);
    AddNorm(prefix + ".norm2", width);
    AddReleasedLayer(prefix + ".attn", width);
    AddMlp(prefix + ".mlp", width, mlp_ratio * width, /*depthwise=*/false);
  }

  void AddPaperBlock(const std::string& prefix, int64_t width,
                     int64_t mlp_ratio) {
    constexpr int kVsssMlpRatio = 2;
    const int64_t group_width = width / kGroups;
    for (int group = 1; group <= kGroups; ++group) {
      const std::string vsss = absl::StrCat(prefix, ".vsss_g", group);
      AddNorm(vsss + ".norm1", group_width);
      AddMamba(vsss + ".mamba", group_width);
      AddNorm(vsss + ".norm2", group_width);
      AddMlp(vsss + ".ffn", group_width, kVsssMlpRatio * group_width,
             /*depthwise=*/false);
    }
    AddAffinity(prefix, width);
    AddNorm(prefix + ".norm", width);
    AddMlp(prefix + ".mlp", width, mlp_ratio * width, /*depthwise=*/false);
  }

 private:
  std::vector<ParameterSpec> specs_;
};

}  // namespace

std::vector<ParameterSpec> ListParameters(const ModelConfig& config) {
  const bool released = config.block == BlockForm::kReleased;
  Lister lister;
  for (int stage = 0; stage < kStages; ++stage) {
    const int64_t width = config.widths[stage];
    const int64_t mlp_ratio = config.mlp_ratios[stage];
    if (stage == 0) {
      lister.AddStem(config.stem_width, width);
    } else {
      lister.AddProjection(absl::StrCat("patch_embed", stage + 1),
                           config.widths[stage - 1], width);
    }
    for (int i = 0; i < config.depths[stage]; ++i) {
      const std::string block = absl::StrCat("block", stage + 1, ".", i);
      if (released) {
        lister.AddReleasedBlock(block, width, mlp_ratio);
      } else {
        lister.AddPaperBlock(block, width, mlp_ratio);
      }
    }
    lister.AddNorm(absl::StrCat("norm", stage + 1), width);
  }
  const int64_t width = config.widths.back();
  if (released) {
    lister.AddClassBlock("post_network.0", width, config.mlp_ratios.back());
  }
  lister.AddWithBias("head", {config.classes, width});
  if (released) lister.AddWithBias("dist_head", {config.classes, width});
  return lister.Take();
}

int64_t CountParameters(const ModelConfig& config) {
  int64_t count = 0;
  for (const ParameterSpec& spec : ListParameters(config)) {
    if (spec.kind != Kind::kParameter) continue;
    int64_t elements = 1;
    for (const int64_t dimension : spec.shape) elements *= dimension;
    count += elements;
  }
  return count;
}

}  // namespace groupmamba
