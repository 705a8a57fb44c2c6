#include "model/training/recipe.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/command_line.h"
#include "model/config.h"

namespace groupmamba::training {
namespace {

// Flags and their values, as on the command line.
using Lines = std::vector<std::pair<std::string, std::string>>;

// The authors' (their repository's classification/config.py and train.py). A
// batch of 1024 is their 8 GPUs times 128.
const Lines& ImageNetLines() {
  static const Lines* const lines = new Lines{
      {"--side", "224"},
      {"--resize", "256"},
      {"--mean", "0.485,0.456,0.406"},
      {"--std", "0.229,0.224,0.225"},
      {"--epochs", "300"},
      {"--batch", "1024"},
      {"--learning-rate", "5e-4"},
      {"--learning-rate-batch", "512"},
      {"--final-learning-rate", "0.01"},
      {"--warmup-epochs", "20"},
      {"--weight-decay", "0.05"},
      {"--clip", "5"},
      {"--ema", "0.9999"},
      {"--label-smoothing", "0.1"},
      {"--alpha", "0.5"},
      {"--drop-path", "0.05"},
      {"--smallest-crop", "0.08"},
      {"--flip", "true"},
      {"--shift", "0"},
      {"--cutout-probability", "0"},
      {"--random-operations", "2"},
      {"--random-magnitude", "9"},
      {"--random-deviation", "0.5"},
      {"--erase", "0.25"},
      {"--mixup", "0.8"},
      {"--cutmix", "1"},
  };
  return *lines;
}

Lines VariantLines(const std::string& name) {
  const ModelConfig config = PublishedVariant(name).value();
  return {{"--block", "released"},
          {"--stem-width", absl::StrCat(config.stem_width)},
          {"--widths", absl::StrJoin(config.widths, ",")},
          {"--depths", absl::StrJoin(config.depths, ",")},
          {"--mlp-ratios", absl::StrJoin(config.mlp_ratios, ",")}};
}

void ApplyLines(const Lines& lines, CLI::App* app) {
  for (const auto& [flag, value] : lines) {
    CLI::Option* option = app->get_option(flag);
    if (option->count() > 0) continue;
    option->add_result(value);
    option->run_callback();
  }
}

}  // namespace

void AddRecipeFlags(CLI::App* app, RecipeSettings* s) {
  const std::string group = "Recipe";
  app->add_option(
         "--recipe", s->recipe,
         "Where the other flags' defaults come from: fashion (those "
         "shown here) or imagenet (the authors': 300 epochs of 224 "
         "pixels, mixup, cutmix and all; docs/training.md lists them). "
         "A flag that is given always wins")
      ->check(CLI::IsMember({"fashion", "imagenet"}))
      ->capture_default_str()
      ->group(group);
  app->add_option(
         "--variant", s->variant,
         "Published size of the model, in the released form: tiny (the "
         "imagenet recipe's), small or base")
      ->check(CLI::IsMember({"tiny", "small", "base"}))
      ->group(group);
}

void ApplyRecipe(const RecipeSettings& settings, CLI::App* app) {
  const bool imagenet = settings.recipe == "imagenet";
  if (!settings.variant.empty()) {
    ApplyLines(VariantLines(settings.variant), app);
  } else if (imagenet) {
    ApplyLines(VariantLines("tiny"), app);
  }
  if (imagenet) ApplyLines(ImageNetLines(), app);
}

}  // namespace groupmamba::training
