#include "model/training/settings.h"

#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TrainSettings Parse(std::vector<std::string> arguments) {
  TrainSettings settings;
  CLI::App app;
  AddFlags(&app, &settings);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return settings;
}

TEST(TrainSettings, TheDefaultsAreAllowed) {
  EXPECT_TRUE(CheckSettings(TrainSettings()).ok());
}

TEST(TrainSettings, FlagsSetThem) {
  const TrainSettings settings =
      Parse({"--out", "m/x/1", "--widths", "8,16,24,32", "--epochs", "3",
             "--flip", "false", "--restart", "--alpha", "0.25"});
  EXPECT_EQ(settings.out, "m/x/1");
  EXPECT_THAT(settings.widths, ElementsAre(8, 16, 24, 32));
  EXPECT_EQ(settings.epochs, 3);
  EXPECT_FALSE(settings.pictures.flip);
  EXPECT_TRUE(settings.restart);
  EXPECT_EQ(settings.alpha, 0.25);
}

TEST(TrainSettings, AFileSetsThemAndAFlagWins) {
  const testing::TempDir dir;
  const std::string file =
      dir.Write("train.conf", "epochs = 7\nbatch = 16\nwidths = 4,8,12,16\n");
  const TrainSettings settings =
      Parse({"--out", "x", "--config", file, "--batch", "32"});
  EXPECT_EQ(settings.epochs, 7);
  EXPECT_EQ(settings.batch, 32);
  EXPECT_THAT(settings.widths, ElementsAre(4, 8, 12, 16));
}

TEST(TrainSettings, TheEnvironmentSetsThemAndAFlagWins) {
  setenv("GROUPMAMBA_TRAIN_LABEL_SMOOTHING", "0.2", 1);
  EXPECT_EQ(Parse({"--out", "x"}).label_smoothing, 0.2);
  EXPECT_EQ(Parse({"--out", "x", "--label-smoothing", "0.3"}).label_smoothing,
            0.3);
  const testing::TempDir dir;
  const std::string file = dir.Write("train.conf", "label-smoothing = 0.1\n");
  EXPECT_EQ(Parse({"--out", "x", "--config", file}).label_smoothing, 0.2);
  unsetenv("GROUPMAMBA_TRAIN_LABEL_SMOOTHING");
}

TEST(TrainSettings, TheImageNetRecipeIsTheAuthors) {
  const TrainSettings settings = Parse({"--out", "x", "--recipe", "imagenet"});
  ASSERT_TRUE(CheckSettings(settings).ok());
  EXPECT_EQ(settings.epochs, 300);
  EXPECT_EQ(settings.warmup_epochs, 20);
  EXPECT_EQ(settings.weight_decay, 0.05);
  EXPECT_EQ(settings.clip, 5);
  EXPECT_EQ(settings.ema, 0.9999);
  EXPECT_EQ(settings.alpha, 0.5);
  EXPECT_EQ(settings.label_smoothing, 0.1);
  EXPECT_EQ(settings.pictures.mixup, 0.8);
  EXPECT_EQ(settings.pictures.cutmix, 1);
  EXPECT_EQ(settings.pictures.random_operations, 2);
  const ModelConfig config = MakeModelConfig(settings);
  const ModelConfig tiny = *PublishedVariant("tiny");
  EXPECT_EQ(config.block, BlockForm::kReleased);
  EXPECT_EQ(config.widths, tiny.widths);
  EXPECT_EQ(config.mlp_ratios, tiny.mlp_ratios);
  EXPECT_EQ(config.input.resize, 256);
  EXPECT_EQ(config.input.crop, 224);
  EXPECT_EQ(config.input.mean, tiny.input.mean);
  // 5e-4 for 512 pictures, and a hundredth of it at the end.
  const ScheduleSpec schedule = MakeSchedule(settings, 100);
  EXPECT_DOUBLE_EQ(schedule.learning_rate, 1e-3);
  EXPECT_DOUBLE_EQ(schedule.final_fraction, 0.01);
}

TEST(TrainSettings, WhatIsGivenWinsOverRecipeAndVariant) {
  const testing::TempDir dir;
  const std::string file = dir.Write("train.conf", "epochs = 7\n");
  setenv("GROUPMAMBA_TRAIN_MIXUP", "0.3", 1);
  const TrainSettings settings =
      Parse({"--out", "x", "--recipe", "imagenet", "--variant", "base",
             "--config", file, "--batch", "256", "--widths", "8,16,24,32"});
  unsetenv("GROUPMAMBA_TRAIN_MIXUP");
  EXPECT_EQ(settings.batch, 256);
  EXPECT_EQ(settings.epochs, 7);
  EXPECT_EQ(settings.pictures.mixup, 0.3);
  EXPECT_THAT(settings.widths, ElementsAre(8, 16, 24, 32));
  EXPECT_EQ(settings.depths, PublishedVariant("base")->depths);
  EXPECT_DOUBLE_EQ(MakeSchedule(settings, 100).learning_rate, 2.5e-4);
}

TEST(TrainSettings, AVariantAloneChangesNothingButTheModel) {
  const TrainSettings settings = Parse({"--out", "x", "--variant", "small"});
  EXPECT_EQ(settings.widths, PublishedVariant("small")->widths);
  EXPECT_EQ(settings.block, "released");
  EXPECT_EQ(settings.epochs, TrainSettings().epochs);
  EXPECT_EQ(settings.side, TrainSettings().side);
}

TEST(TrainSettings, ADeviceIsOneOfFourWords) {
  for (const char* device : {"auto", "cpu", "cuda", "cuda:7"}) {
    EXPECT_EQ(Parse({"--out", "x", "--device", device}).run.device, device);
  }
  for (const char* device : {"gpu", "cuda:", "cuda:-1", "cuda:x", ""}) {
    EXPECT_THROW(Parse({"--out", "x", "--device", device}),
                 CLI::ValidationError)
        << device;
  }
}

TEST(TrainSettings, WithoutAFolderToWriteThereMustBeAnswersToWrite) {
  EXPECT_THROW(Parse({}), CLI::RequiredError);
  EXPECT_EQ(
      Parse({"--teacher", "t", "--write-teacher-labels", "a.safetensors"}).out,
      "");
}

TEST(TrainSettings, OneOutOfRangeIsNamed) {
  const struct {
    std::function<void(TrainSettings&)> spoil;
    const char* flag;
  } cases[] = {
      {[](TrainSettings& s) { s.widths[2] = 30; }, "--widths"},
      {[](TrainSettings& s) { s.depths[0] = 0; }, "--depths"},
      {[](TrainSettings& s) { s.mlp_ratios[3] = 17; }, "--mlp-ratios"},
      {[](TrainSettings& s) { s.side = 31; }, "--side"},
      {[](TrainSettings& s) { s.epochs = 0; }, "--epochs"},
      {[](TrainSettings& s) { s.batch = 1; }, "--batch"},
      {[](TrainSettings& s) { s.learning_rate = 0; }, "--learning-rate"},
      {[](TrainSettings& s) { s.warmup_epochs = 12; }, "--warmup-epochs"},
      {[](TrainSettings& s) { s.alpha = 1.1; }, "--alpha"},
      {[](TrainSettings& s) { s.ema = 1; }, "--ema"},
      {[](TrainSettings& s) { s.drop_path = -0.1; }, "--drop-path"},
      {[](TrainSettings& s) { s.learning_rate = NAN; }, "--learning-rate"},
      {[](TrainSettings& s) { s.threads = 0; }, "--threads"},
      {[](TrainSettings& s) { s.learning_rate_batch = -1; },
       "--learning-rate-batch"},
      {[](TrainSettings& s) { s.final_learning_rate = 2; },
       "--final-learning-rate"},
      {[](TrainSettings& s) {
         s.run.device = "cuda:1";
         s.run.processes = 2;
       },
       "--device"},
      {[](TrainSettings& s) { s.pictures.resize = 40; }, "--resize"},
      {[](TrainSettings& s) { s.pictures.std[1] = 0; }, "--std"},
      {[](TrainSettings& s) { s.pictures.mixup = 5; }, "--mixup"},
      {[](TrainSettings& s) { s.pictures.cutmix = NAN; }, "--cutmix"},
      {[](TrainSettings& s) { s.pictures.smallest_crop = 0; },
       "--smallest-crop"},
      {[](TrainSettings& s) { s.pictures.random_magnitude = 11; },
       "--random-magnitude"},
      {[](TrainSettings& s) { s.pictures.erase = 1.5; }, "--erase"},
      {[](TrainSettings& s) { s.pictures.loader_threads = 0; },
       "--loader-threads"},
      {[](TrainSettings& s) { s.pictures.shift = 29; }, "--shift"},
      {[](TrainSettings& s) { s.teaching.side = 8; }, "--teacher-side"},
      {[](TrainSettings& s) { s.teaching.write_labels = "a"; },
       "--write-teacher-labels"},
  };
  for (const auto& bad : cases) {
    TrainSettings settings;
    bad.spoil(settings);
    const absl::Status status = CheckSettings(settings);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(bad.flag));
  }
}

TEST(ResultSettingsJson, TellsRunsWithOtherResultsApart) {
  const TrainSettings plain;
  TrainSettings elsewhere = plain;
  elsewhere.out = "other";
  elsewhere.run.checkpoint_minutes = 1;
  EXPECT_EQ(ResultSettingsJson(elsewhere), ResultSettingsJson(plain));
  TrainSettings on_processor = plain;
  on_processor.run.device = "cpu";
  EXPECT_EQ(ResultSettingsJson(on_processor), ResultSettingsJson(plain));
  TrainSettings on_gpu = plain, on_another = plain;
  on_gpu.run.device = "cuda:0";
  on_another.run.device = "cuda:3";
  EXPECT_NE(ResultSettingsJson(on_gpu), ResultSettingsJson(plain));
  EXPECT_EQ(ResultSettingsJson(on_gpu), ResultSettingsJson(on_another));
  TrainSettings other = plain;
  other.seed = 2;
  EXPECT_NE(ResultSettingsJson(other), ResultSettingsJson(plain));
  TrainSettings mixed = plain;
  mixed.pictures.mixup = 0.8;
  EXPECT_NE(ResultSettingsJson(mixed), ResultSettingsJson(plain));
  TrainSettings wider = plain;
  wider.pictures.loader_threads = 7;
  EXPECT_EQ(ResultSettingsJson(wider), ResultSettingsJson(plain));
}

TEST(MakeModelConfig, SurvivesTheModelFoldersFormat) {
  ModelConfig config = MakeModelConfig(TrainSettings());
  config.weights_sha256 = std::string(64, 'a');
  const auto read = ParseModelConfig(FormatModelConfig(config));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->block, BlockForm::kPaper);
  EXPECT_EQ(read->input.mean, config.input.mean);
  EXPECT_EQ(read->widths, config.widths);
}

TEST(MakeAugmentSpec, CountsInPixelsOfTheEnlargedPicture) {
  TrainSettings settings;  // 28 to 48 pixels
  settings.pictures.shift = 2;
  settings.pictures.cutout_size = 0.25;
  EXPECT_EQ(MakeAugmentSpec(settings).shift, 3);
  EXPECT_EQ(MakeAugmentSpec(settings).cutout_side, 12);
}

}  // namespace
}  // namespace groupmamba::training
