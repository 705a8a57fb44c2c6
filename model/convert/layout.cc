#include "model/convert/layout.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/strict_json.h"

namespace groupmamba {
namespace {

using Tensors = std::map<std::string, TensorBytes>;

constexpr absl::string_view kStem = "patch_embed1.conv.0.weight";

// Reads dimensions; the first problem stays in `problem`.
class Shapes {
 public:
  explicit Shapes(const Tensors* tensors) : tensors_(tensors) {}

  // The first dimension of a tensor. Above what an int holds it is cut, which
  // is above every range too.
  int FirstOf(const std::string& name) {
    const auto found = tensors_->find(name);
    if (found == tensors_->end() || found->second.shape.empty()) {
      problem_.Update(absl::InvalidArgumentError(
          absl::StrCat("tensor \"", name, "\" is missing or has no shape")));
      return 0;
    }
    constexpr int64_t kMost = INT32_MAX;
    return static_cast<int>(std::min(found->second.shape[0], kMost));
  }

  // How many of prefix0, prefix1, ... begin a name.
  int CountNumbered(const std::string& prefix) const {
    int count = 0;
    while (HasPrefix(absl::StrCat(prefix, count, "."))) ++count;
    return count;
  }

  bool HasPrefix(const std::string& prefix) const {
    const auto found = tensors_->lower_bound(prefix);
    return found != tensors_->end() && absl::StartsWith(found->first, prefix);
  }

  const absl::Status& problem() const { return problem_; }

 private:
  const Tensors* const tensors_;
  absl::Status problem_;
};

}  // namespace

absl::StatusOr<std::string> StripPrefix(Tensors* tensors) {
  std::string prefix;
  bool found = false;
  for (const auto& [name, tensor] : *tensors) {
    if (!absl::EndsWith(name, kStem)) continue;
    prefix = name.substr(0, name.size() - kStem.size());
    found = true;
    break;
  }
  if (!found) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is no GroupMamba: no tensor's name ends in ", kStem));
  }
  Tensors stripped;
  for (auto& [name, tensor] : *tensors) {
    if (!absl::StartsWith(name, prefix)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tensor ", QuoteForMessage(name), " does not begin with ",
          QuoteForMessage(prefix), " as the stem's do"));
    }
    stripped.emplace(name.substr(prefix.size()), std::move(tensor));
  }
  *tensors = std::move(stripped);
  return prefix;
}

absl::StatusOr<ModelConfig> ConfigFromShapes(const Tensors& tensors,
                                             const InputConfig& input) {
  GM_ASSIGN_OR_RETURN(ModelConfig config, PublishedVariant("tiny"));
  Shapes shapes(&tensors);
  config.block = shapes.HasPrefix("block1.0.vsss_g1.") ? BlockForm::kPaper
                                                       : BlockForm::kReleased;
  config.stem_width = shapes.FirstOf(std::string(kStem));
  for (int stage = 0; stage < kStages; ++stage) {
    const std::string number = absl::StrCat(stage + 1);
    const std::string block = absl::StrCat("block", number, ".");
    config.widths[stage] =
        shapes.FirstOf(absl::StrCat("patch_embed", number, ".proj.weight"));
    config.depths[stage] = shapes.CountNumbered(block);
    const int hidden = shapes.FirstOf(absl::StrCat(block, "0.mlp.fc1.weight"));
    GM_RETURN_IF_ERROR(shapes.problem());
    if (hidden % config.widths[stage] != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "block", number, ": ", hidden, " hidden values are no multiple of ",
          config.widths[stage], " channels"));
    }
    config.mlp_ratios[stage] = hidden / config.widths[stage];
  }
  config.classes = shapes.FirstOf("head.weight");
  GM_RETURN_IF_ERROR(shapes.problem());
  config.input = input;
  // Whether the values are in range, the reader of config.json knows.
  ModelConfig with_hash = config;
  with_hash.weights_sha256 = std::string(64, '0');
  GM_RETURN_IF_ERROR(ParseModelConfig(FormatModelConfig(with_hash)).status());
  return config;
}

std::string VariantOf(const ModelConfig& config) {
  for (const char* name : {"tiny", "small", "base"}) {
    const absl::StatusOr<ModelConfig> variant = PublishedVariant(name);
    if (variant.ok() && config.block == variant->block &&
        config.stem_width == variant->stem_width &&
        config.widths == variant->widths && config.depths == variant->depths &&
        config.mlp_ratios == variant->mlp_ratios) {
      return name;
    }
  }
  return "";
}

}  // namespace groupmamba
