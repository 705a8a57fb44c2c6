#include "model/training/settings.h"

#include <cmath>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"

namespace groupmamba::training {
namespace {

// Of the training pictures, measured once; the three channels are equal.
constexpr float kMean = 0.286f;
constexpr float kStd = 0.353f;

constexpr char kPrefix[] = "GROUPMAMBA_TRAIN_";

absl::Status Require(bool holds, absl::string_view flag,
                     absl::string_view rule) {
  return holds ? absl::OkStatus()
               : absl::InvalidArgumentError(absl::StrCat(flag, " ", rule));
}

void AddModelFlags(CLI::App* app, TrainSettings* s) {
  const std::string group = "Model";
  app->add_option("--block", s->block,
                  "Form of the blocks: paper (its equations) or released (the "
                  "authors' code)")
      ->check(CLI::IsMember({"paper", "released"}))
      ->capture_default_str()
      ->group(group);
  app->add_option("--stem-width", s->stem_width, "Channels of the stem")
      ->capture_default_str()
      ->group(group);
  app->add_option("--widths", s->widths,
                  "Channels of the four stages, multiples of 4")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  app->add_option("--depths", s->depths, "Blocks in the four stages")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  app->add_option("--mlp-ratios", s->mlp_ratios,
                  "Hidden width of the stages' outer FFN over their channels")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  app->add_option("--side", s->side,
                  "Pixels to which the pictures' sides are enlarged, from 32")
      ->capture_default_str()
      ->group(group);
}

void AddLossFlags(CLI::App* app, TrainSettings* s) {
  const std::string group = "Loss";
  app->add_option("--teacher", s->teacher,
                  "Model folder of a teacher, whose label is learnt beside the "
                  "true one: alpha CE(student, y) + (1 - alpha) CE(student, "
                  "teacher's label)")
      ->group(group);
  app->add_option("--alpha", s->alpha,
                  "The true label's share, 0 to 1; without a teacher it is 1")
      ->capture_default_str()
      ->group(group);
  app->add_option("--label-smoothing", s->label_smoothing,
                  "Share of the true label given to all classes, 0 to below 1")
      ->capture_default_str()
      ->group(group);
}

void AddRecipeFlags(CLI::App* app, TrainSettings* s) {
  const std::string group = "Recipe";
  app->add_option("--epochs", s->epochs, "Passes over the pictures")
      ->capture_default_str()
      ->group(group);
  app->add_option("--batch", s->batch,
                  "Pictures in a step, of all processes together")
      ->capture_default_str()
      ->group(group);
  app->add_option("--learning-rate", s->learning_rate,
                  "At its highest: linear warm-up, then a cosine to zero")
      ->capture_default_str()
      ->group(group);
  app->add_option("--warmup-epochs", s->warmup_epochs, "May be a fraction")
      ->capture_default_str()
      ->group(group);
  app->add_option("--weight-decay", s->weight_decay,
                  "AdamW's, of matrices and kernels only")
      ->capture_default_str()
      ->group(group);
  app->add_option("--clip", s->clip,
                  "Highest norm of the gradient; 0: not clipped")
      ->capture_default_str()
      ->group(group);
  app->add_option("--ema", s->ema,
                  "Share of the averaged weights that stays at a step; the "
                  "averaged weights are what is tested and written")
      ->capture_default_str()
      ->group(group);
  app->add_option("--drop-path", s->drop_path,
                  "Chance that the last block's branches are left out")
      ->capture_default_str()
      ->group(group);
  app->add_option("--seed", s->seed, "Of weights, order and augmentation")
      ->capture_default_str()
      ->group(group);
}

void AddPictureFlags(CLI::App* app, TrainSettings* s) {
  const std::string group = "Augmentation";
  app->add_option("--flip", s->flip, "Mirror half of the pictures")
      ->capture_default_str()
      ->group(group);
  app->add_option("--shift", s->shift,
                  "Furthest move each way, in pixels of the 28x28 picture")
      ->capture_default_str()
      ->group(group);
  app->add_option("--cutout-probability", s->cutout_probability,
                  "Chance that a square of a picture is blackened")
      ->capture_default_str()
      ->group(group);
  app->add_option("--cutout-size", s->cutout_size,
                  "Its side, as a fraction of the picture's")
      ->capture_default_str()
      ->group(group);
}

void AddFolderFlags(CLI::App* app, TrainSettings* s) {
  const std::string group = "Run";
  app->add_option("--out", s->out,
                  "Model folder to write, such as models/fashion/1: weights, "
                  "configuration, labels, log and checkpoint. A run that was "
                  "stopped goes on from the checkpoint there")
      ->required()
      ->group(group);
  app->add_option("--data", s->data, "Folder of Fashion-MNIST's IDX files")
      ->capture_default_str()
      ->group(group);
  app->add_flag("--restart", s->restart,
                "Begin anew even if the folder holds a checkpoint")
      ->group(group);
  app->add_option(
         "--threads", s->threads,
         "Threads of the arithmetic in each process; results repeat to "
         "the bit only with as many")
      ->capture_default_str()
      ->group(group);
  app->add_option("--train-limit", s->train_limit,
                  "Train on the first N pictures; 0: all")
      ->capture_default_str()
      ->group(group);
  app->add_option("--test-limit", s->test_limit,
                  "Test on the first N pictures; 0: all")
      ->capture_default_str()
      ->group(group);
}

}  // namespace

void AddFlags(CLI::App* app, TrainSettings* settings) {
  AddFolderFlags(app, settings);
  AddRunFlags(app, &settings->run);
  AddModelFlags(app, settings);
  AddRecipeFlags(app, settings);
  AddLossFlags(app, settings);
  AddPictureFlags(app, settings);
  NameEnvironmentVariables(kPrefix, app);
  AddSettingsFile(std::make_shared<SettingsFile>(kPrefix),
                  "GROUPMAMBA_TRAIN_CONFIG", app);
}

absl::Status CheckSettings(const TrainSettings& s) {
  for (int stage = 0; stage < kStages; ++stage) {
    GM_RETURN_IF_ERROR(
        Require(s.widths[stage] >= 4 && s.widths[stage] <= 4096 &&
                    s.widths[stage] % kGroups == 0,
                "--widths", "must be multiples of 4 from 4 to 4096"));
    GM_RETURN_IF_ERROR(Require(s.depths[stage] >= 1 && s.depths[stage] <= 100,
                               "--depths", "must be 1 to 100"));
    GM_RETURN_IF_ERROR(
        Require(s.mlp_ratios[stage] >= 1 && s.mlp_ratios[stage] <= 16,
                "--mlp-ratios", "must be 1 to 16"));
  }
  const auto share = [](double x) { return x >= 0 && x <= 1; };
  const auto below_one = [](double x) { return x >= 0 && x < 1; };
  const struct {
    bool holds;
    absl::string_view flag;
    absl::string_view rule;
  } rules[] = {
      {s.stem_width >= 1 && s.stem_width <= 4096, "--stem-width",
       "must be 1 to 4096"},
      {s.side >= 32 && s.side <= 512, "--side", "must be 32 to 512 pixels"},
      {s.epochs >= 1 && s.epochs <= 10'000, "--epochs", "must be 1 to 10000"},
      {s.batch >= 2 && s.batch <= 8192, "--batch", "must be 2 to 8192"},
      {s.learning_rate > 0 && s.learning_rate <= 1, "--learning-rate",
       "must be above 0 and at most 1"},
      {s.warmup_epochs >= 0 && s.warmup_epochs < static_cast<double>(s.epochs),
       "--warmup-epochs", "must be at least 0 and below --epochs"},
      {share(s.weight_decay), "--weight-decay", "must be 0 to 1"},
      {below_one(s.label_smoothing), "--label-smoothing",
       "must be 0 to below 1"},
      {share(s.alpha), "--alpha", "must be 0 to 1"},
      {s.clip >= 0 && s.clip <= 1e6, "--clip", "must be 0 to 1e6"},
      {below_one(s.ema), "--ema", "must be 0 to below 1"},
      {below_one(s.drop_path), "--drop-path", "must be 0 to below 1"},
      {s.shift >= 0 && s.shift <= kFashionSide, "--shift",
       "must be 0 to 28 pixels"},
      {share(s.cutout_probability), "--cutout-probability", "must be 0 to 1"},
      {share(s.cutout_size), "--cutout-size", "must be 0 to 1"},
      {s.threads >= 1 && s.threads <= 1024, "--threads", "must be 1 to 1024"},
      {s.train_limit >= 0, "--train-limit", "must be at least 0"},
      {s.test_limit >= 0, "--test-limit", "must be at least 0"},
  };
  for (const auto& rule : rules) {
    GM_RETURN_IF_ERROR(Require(rule.holds, rule.flag, rule.rule));
  }
  return CheckRunSettings(s.run, s.batch);
}

std::string ResultSettingsJson(const TrainSettings& s) {
  return nlohmann::ordered_json{{"teacher", s.teacher},
                                {"train_limit", s.train_limit},
                                {"block", s.block},
                                {"stem_width", s.stem_width},
                                {"widths", s.widths},
                                {"depths", s.depths},
                                {"mlp_ratios", s.mlp_ratios},
                                {"side", s.side},
                                {"epochs", s.epochs},
                                {"batch", s.batch},
                                {"learning_rate", s.learning_rate},
                                {"warmup_epochs", s.warmup_epochs},
                                {"weight_decay", s.weight_decay},
                                {"label_smoothing", s.label_smoothing},
                                {"alpha", s.alpha},
                                {"clip", s.clip},
                                {"ema", s.ema},
                                {"drop_path", s.drop_path},
                                {"flip", s.flip},
                                {"shift", s.shift},
                                {"cutout_probability", s.cutout_probability},
                                {"cutout_size", s.cutout_size},
                                {"seed", s.seed},
                                {"threads", s.threads},
                                {"processes", s.run.processes}}
      .dump();
}

ModelConfig MakeModelConfig(const TrainSettings& s) {
  ModelConfig config;
  config.block = s.block == "paper" ? BlockForm::kPaper : BlockForm::kReleased;
  config.stem_width = s.stem_width;
  config.widths = s.widths;
  config.depths = s.depths;
  config.mlp_ratios = s.mlp_ratios;
  config.classes = kFashionClasses;
  config.input.resize = s.side;
  config.input.crop = s.side;
  config.input.mean.fill(kMean);
  config.input.std.fill(kStd);
  config.labels_file = "labels.txt";
  config.weights_file = "model.safetensors";
  return config;
}

AugmentSpec MakeAugmentSpec(const TrainSettings& s) {
  return {
      .flip = s.flip,
      .shift = static_cast<int>(std::lround(s.shift * s.side / kFashionSide)),
      .cutout_probability = s.cutout_probability,
      .cutout_side = static_cast<int>(std::lround(s.cutout_size * s.side))};
}

ScheduleSpec MakeSchedule(const TrainSettings& s, int64_t steps_per_epoch) {
  return {.total_steps = s.epochs * steps_per_epoch,
          .warmup_steps = static_cast<int64_t>(
              s.warmup_epochs * static_cast<double>(steps_per_epoch)),
          .learning_rate = s.learning_rate};
}

}  // namespace groupmamba::training
