#include "model/training/settings.h"

#include <cmath>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"

namespace groupmamba::training {
namespace {

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
  app->add_option(
         "--teacher", s->teacher,
         "Whose label is learnt beside the true one: alpha CE(student, "
         "y) + (1 - alpha) CE(student, teacher's label). A GroupMamba's "
         "folder; a TorchScript file (.pt), whose code is run and must "
         "be trusted; or answers that --write-teacher-labels wrote "
         "(.safetensors)")
      ->group(group);
  app->add_option(
         "--alpha", s->alpha,
         "The true label's share, 0 to 1, as in the paper (the authors' "
         "code calls the teacher's share alpha); at 1 the teacher is "
         "not asked; without a teacher it is 1")
      ->capture_default_str()
      ->group(group);
  app->add_option("--label-smoothing", s->label_smoothing,
                  "Share of the true label given to all classes, 0 to below 1")
      ->capture_default_str()
      ->group(group);
}

void AddTrainingFlags(CLI::App* app, TrainSettings* s) {
  const std::string group = "Recipe";
  app->add_option("--epochs", s->epochs, "Passes over the pictures")
      ->capture_default_str()
      ->group(group);
  app->add_option("--batch", s->batch,
                  "Pictures in a step, of all processes together")
      ->capture_default_str()
      ->group(group);
  app->add_option("--learning-rate", s->learning_rate,
                  "At its highest: linear warm-up, then half a cosine")
      ->capture_default_str()
      ->group(group);
  app->add_option(
         "--learning-rate-batch", s->learning_rate_batch,
         "Pictures in the step that --learning-rate is for: it grows in "
         "proportion to --batch. 0: it is as given")
      ->capture_default_str()
      ->group(group);
  app->add_option("--final-learning-rate", s->final_learning_rate,
                  "At the end, as a fraction of the highest")
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
  app->add_option("--precision", s->precision,
                  "Of products and convolutions, forward and backward: fp32 or "
                  "bf16 (weights, gradients and averages stay fp32)")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str()
      ->group(group);
  app->add_option("--seed", s->seed, "Of weights, order and augmentation")
      ->capture_default_str()
      ->group(group);
}

void AddFolderFlags(CLI::App* app, TrainSettings* s) {
  const std::string group = "Run";
  app->add_option("--out", s->out,
                  "Model folder to write, such as models/fashion/1: weights, "
                  "configuration, labels, log and checkpoint. A run that was "
                  "stopped goes on from the checkpoint there")
      ->group(group);
  app->add_option(
         "--data", s->data,
         "Folder of Fashion-MNIST's IDX files; or with train/ and val/, "
         "each of them pictures by class, <class>/*.jpg, or shards, "
         "*.tar, of <key>.jpg and <key>.cls beside a labels.txt")
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
  AddRecipeFlags(app, &settings->named);
  AddTrainingFlags(app, settings);
  AddLossFlags(app, settings);
  AddTeacherFlags(app, &settings->teaching);
  AddPictureFlags(app, &settings->pictures);
  NameEnvironmentVariables(kPrefix, app);
  AddSettingsFile(std::make_shared<SettingsFile>(kPrefix),
                  "GROUPMAMBA_TRAIN_CONFIG", app);
  app->parse_complete_callback([app, settings] {
    ApplyRecipe(settings->named, app);
    if (settings->out.empty() && settings->teaching.write_labels.empty()) {
      throw CLI::RequiredError("--out");
    }
  });
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
      {s.learning_rate_batch >= 0, "--learning-rate-batch",
       "must be at least 0"},
      {share(s.final_learning_rate), "--final-learning-rate", "must be 0 to 1"},
      {share(s.weight_decay), "--weight-decay", "must be 0 to 1"},
      {below_one(s.label_smoothing), "--label-smoothing",
       "must be 0 to below 1"},
      {share(s.alpha), "--alpha", "must be 0 to 1"},
      {s.clip >= 0 && s.clip <= 1e6, "--clip", "must be 0 to 1e6"},
      {below_one(s.ema), "--ema", "must be 0 to below 1"},
      {below_one(s.drop_path), "--drop-path", "must be 0 to below 1"},
      {s.threads >= 1 && s.threads <= 1024, "--threads", "must be 1 to 1024"},
      {s.train_limit >= 0, "--train-limit", "must be at least 0"},
      {s.test_limit >= 0, "--test-limit", "must be at least 0"},
      {s.pictures.resize == 0 || s.pictures.resize >= s.side, "--resize",
       "must be 0 or at least --side"},
      {s.teaching.write_labels.empty() ||
           (!s.teacher.empty() && s.run.processes == 1),
       "--write-teacher-labels", "needs a --teacher, and one process"},
  };
  for (const auto& rule : rules) {
    GM_RETURN_IF_ERROR(Require(rule.holds, rule.flag, rule.rule));
  }
  GM_RETURN_IF_ERROR(CheckTeacherSettings(s.teaching));
  GM_RETURN_IF_ERROR(CheckPictureSettings(s.pictures));
  return CheckRunSettings(s.run, s.batch);
}

std::string ResultSettingsJson(const TrainSettings& s) {
  nlohmann::ordered_json json = {{"teacher", s.teacher},
                                 {"train_limit", s.train_limit},
                                 {"block", s.block},
                                 {"stem_width", s.stem_width},
                                 {"widths", s.widths},
                                 {"depths", s.depths},
                                 {"mlp_ratios", s.mlp_ratios},
                                 {"side", s.side},
                                 {"classes", s.classes},
                                 {"epochs", s.epochs},
                                 {"batch", s.batch},
                                 {"learning_rate", s.learning_rate},
                                 {"learning_rate_batch", s.learning_rate_batch},
                                 {"final_learning_rate", s.final_learning_rate},
                                 {"warmup_epochs", s.warmup_epochs},
                                 {"weight_decay", s.weight_decay},
                                 {"label_smoothing", s.label_smoothing},
                                 {"alpha", s.alpha},
                                 {"clip", s.clip},
                                 {"ema", s.ema},
                                 {"drop_path", s.drop_path},
                                 {"precision", s.precision},
                                 {"seed", s.seed},
                                 {"threads", s.threads},
                                 {"processes", s.run.processes}};
  // Not on the processor: runs from before there was a choice go on.
  if (absl::StartsWith(s.run.device, "cuda")) json["device"] = "cuda";
  AddToJson(s.pictures, &json);
  return json.dump();
}

ModelConfig MakeModelConfig(const TrainSettings& s) {
  ModelConfig config;
  config.block = s.block == "paper" ? BlockForm::kPaper : BlockForm::kReleased;
  config.stem_width = s.stem_width;
  config.widths = s.widths;
  config.depths = s.depths;
  config.mlp_ratios = s.mlp_ratios;
  config.classes = s.classes;
  config.input.resize = s.pictures.resize == 0 ? s.side : s.pictures.resize;
  config.input.crop = s.side;
  config.input.mean = s.pictures.mean;
  config.input.std = s.pictures.std;
  config.labels_file = "labels.txt";
  config.weights_file = "model.safetensors";
  return config;
}

AugmentSpec MakeAugmentSpec(const TrainSettings& s) {
  const PictureSettings& p = s.pictures;
  return {
      .smallest_crop = p.smallest_crop,
      .flip = p.flip,
      .shift = static_cast<int>(std::lround(p.shift * s.side / kFashionSide)),
      .random = {.operations = p.random_operations,
                 .magnitude = p.random_magnitude,
                 .deviation = p.random_deviation},
      .cutout_probability = p.cutout_probability,
      .cutout_side = static_cast<int>(std::lround(p.cutout_size * s.side)),
      .erase_probability = p.erase};
}

MixSpec MakeMixSpec(const TrainSettings& s) {
  return {.mixup = s.pictures.mixup,
          .cutmix = s.pictures.cutmix,
          .probability = s.pictures.mix_probability,
          .cutmix_share = s.pictures.cutmix_share};
}

ScheduleSpec MakeSchedule(const TrainSettings& s, int64_t steps_per_epoch) {
  const double scale = s.learning_rate_batch == 0
                           ? 1
                           : static_cast<double>(s.batch) /
                                 static_cast<double>(s.learning_rate_batch);
  return {.total_steps = s.epochs * steps_per_epoch,
          .warmup_steps = static_cast<int64_t>(
              s.warmup_epochs * static_cast<double>(steps_per_epoch)),
          .learning_rate = s.learning_rate * scale,
          .final_fraction = s.final_learning_rate};
}

}  // namespace groupmamba::training
