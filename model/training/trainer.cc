#include "model/training/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "model/file.h"
#include "model/manifest.h"
#include "model/training/batch.h"
#include "nlohmann/json.hpp"

namespace groupmamba::training {
namespace {

constexpr int64_t kTestBatch = 250;  // pictures

LearnerOptions MakeLearnerOptions(const TrainSettings& s) {
  return {.alpha = s.teacher.empty() ? 1 : s.alpha,
          .label_smoothing = s.label_smoothing,
          .weight_decay = s.weight_decay,
          .clip = s.clip,
          .drop_path = s.drop_path,
          .bf16 = s.precision == "bf16",
          .seed = s.seed};
}

std::string CheckpointPath(const TrainSettings& settings) {
  return settings.out + "/checkpoint.safetensors";
}

}  // namespace

Trainer::Trainer(const TrainSettings& settings,
                 std::unique_ptr<PictureSource> train,
                 std::unique_ptr<PictureSource> test,
                 std::unique_ptr<Teacher> teacher, const TimeSource* clock)
    : settings_(settings),
      config_(MakeModelConfig(settings)),
      train_(std::move(train)),
      test_(std::move(test)),
      teacher_(std::move(teacher)),
      clock_(clock),
      steps_per_epoch_(train_->count() / settings.batch),
      schedule_(MakeSchedule(settings, steps_per_epoch_)),
      progress_(clock, isatty(STDERR_FILENO) == 1, settings.batch),
      start_(clock->Now()),
      last_checkpoint_(start_),
      broken_train_(settings.pictures.max_broken),
      broken_test_(settings.pictures.max_broken) {}

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(
    const TrainSettings& settings, std::unique_ptr<PictureSource> train,
    std::unique_ptr<PictureSource> test, std::unique_ptr<Teacher> teacher,
    const TimeSource* clock) {
  if (train->count() < settings.batch) {
    return absl::InvalidArgumentError(
        absl::StrCat("--batch ", settings.batch, " is more than the ",
                     train->count(), " training pictures"));
  }
  std::error_code error;
  std::filesystem::create_directories(settings.out, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(settings.out, ": cannot be created: ", error.message()));
  }
  std::unique_ptr<Trainer> trainer(new Trainer(
      settings, std::move(train), std::move(test), std::move(teacher), clock));
  GM_ASSIGN_OR_RETURN(
      trainer->learner_,
      Learner::Create(trainer->config_, MakeLearnerOptions(settings),
                      trainer->teacher_.get()));
  GM_RETURN_IF_ERROR(trainer->Restore());
  LoaderOptions options = trainer->MakeLoaderOptions();
  options.augment = MakeAugmentSpec(settings);
  options.first_step = trainer->run_.steps;
  options.end_step = trainer->schedule_.total_steps;
  trainer->loader_ = std::make_unique<Loader>(
      trainer->train_.get(), &trainer->broken_train_, options,
      [t = trainer.get()](int64_t step) { return t->PlanStep(step); });
  return trainer;
}

absl::Status Trainer::Restore() {
  const std::string path = CheckpointPath(settings_);
  if (!settings_.restart && std::filesystem::exists(path)) {
    GM_ASSIGN_OR_RETURN(
        run_,
        ReadCheckpoint(path, ResultSettingsJson(settings_), learner_->State()));
    learner_->SetSteps(run_.steps);
    earlier_seconds_ = run_.seconds;
    progress_.Note(absl::StrCat("going on from step ", run_.steps, " of ",
                                schedule_.total_steps));
  } else {
    std::filesystem::remove(path);
    std::filesystem::remove(settings_.out + "/train.log.jsonl");
  }
  return WriteLog({{"event", run_.steps == 0 ? "start" : "resume"},
                   {"step", run_.steps},
                   {"parameters", CountParameters(config_)},
                   {"train_pictures", train_->count()},
                   {"test_pictures", test_->count()},
                   {"settings", nlohmann::ordered_json::parse(
                                    ResultSettingsJson(settings_))}});
}

absl::Status Trainer::Run(const StopRequested& stop) {
  if (run_.steps == schedule_.total_steps) {
    GM_ASSIGN_OR_RETURN(top1_, Evaluate());
  }
  while (run_.steps < schedule_.total_steps) {
    GM_RETURN_IF_ERROR(OneStep());
    progress_.Update(CurrentProgress());
    if (run_.steps % steps_per_epoch_ == 0) {
      GM_RETURN_IF_ERROR(EndEpoch());
    } else if (ToSeconds(clock_->Now() - last_checkpoint_) >
               60 * settings_.checkpoint_minutes) {
      GM_RETURN_IF_ERROR(SaveCheckpoint());
    }
    if (run_.steps < schedule_.total_steps && stop()) {
      GM_RETURN_IF_ERROR(SaveCheckpoint());
      return absl::CancelledError(absl::StrCat(
          "stopped at step ", run_.steps, " of ", schedule_.total_steps,
          "; the same command goes on from there"));
    }
  }
  return absl::OkStatus();
}

PlannedStep Trainer::PlanStep(int64_t step) {
  const int64_t epoch = step / steps_per_epoch_;
  if (epoch != order_epoch_) {
    order_ = EpochOrder(settings_.seed, epoch, train_->count());
    order_epoch_ = epoch;
  }
  const auto first = order_.begin() + step % steps_per_epoch_ * settings_.batch;
  return {.epoch = epoch, .pictures = {first, first + settings_.batch}};
}

LoaderOptions Trainer::MakeLoaderOptions() const {
  return {.input = config_.input,
          .augment = std::nullopt,
          .seed = settings_.seed,
          .threads = settings_.pictures.loader_threads};
}

absl::Status Trainer::OneStep() {
  GM_ASSIGN_OR_RETURN(const LoadedBatch loaded, loader_->Next());
  Batch batch = MakeBatch(loaded, config_.input);
  ApplyMix(DrawMix(MakeMixSpec(settings_), config_.input.crop,
                   MixRandom(settings_.seed, run_.steps)),
           &batch);
  const double loss =
      learner_->Step(batch, run_.steps, LearningRate(schedule_, run_.steps),
                     EmaDecay(settings_.ema, run_.steps));
  if (!std::isfinite(loss)) {
    return absl::InternalError(absl::StrCat(
        "the loss is not finite at step ", run_.steps,
        "; the last checkpoint is kept: a lower --learning-rate may help"));
  }
  run_.loss_sum += loss;
  ++run_.steps;
  return absl::OkStatus();
}

absl::Status Trainer::EndEpoch() {
  const double mean_loss =
      run_.loss_sum / static_cast<double>(steps_per_epoch_);
  GM_ASSIGN_OR_RETURN(top1_, Evaluate());
  const int64_t epoch = run_.steps / steps_per_epoch_;
  progress_.Note(absl::StrFormat(
      "epoch %d of %d: loss %.4f, top-1 of the averaged weights %.2f %%, %.0f "
      "min so far",
      epoch, settings_.epochs, mean_loss, 100 * top1_, SecondsSoFar() / 60));
  GM_RETURN_IF_ERROR(WriteLog(
      {{"event", "epoch"},
       {"epoch", epoch},
       {"step", run_.steps},
       {"learning_rate", LearningRate(schedule_, run_.steps - 1)},
       {"loss", mean_loss},
       {"top1", top1_},
       {"broken_pictures", broken_train_.count() + broken_test_.count()},
       {"images_per_s", progress_.images_per_s()},
       {"seconds", SecondsSoFar()}}));
  run_.loss_sum = 0;
  GM_RETURN_IF_ERROR(WriteModel());
  return SaveCheckpoint();
}

absl::StatusOr<double> Trainer::Evaluate() {
  const int64_t count = test_->count();
  LoaderOptions options = MakeLoaderOptions();
  options.end_step = (count + kTestBatch - 1) / kTestBatch;
  Loader loader(test_.get(), &broken_test_, options,
                InOrder(count, kTestBatch));
  int64_t right = 0;
  for (int64_t step = 0; step < options.end_step; ++step) {
    GM_ASSIGN_OR_RETURN(const LoadedBatch loaded, loader.Next());
    const Batch batch = MakeBatch(loaded, config_.input);
    const at::Tensor answer = learner_->AverageLogits(batch.images).argmax(1);
    right += answer.eq(batch.labels).sum().item<int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(count);
}

absl::Status Trainer::SaveCheckpoint() {
  last_checkpoint_ = clock_->Now();
  run_.seconds = SecondsSoFar();
  return WriteCheckpoint(CheckpointPath(settings_),
                         ResultSettingsJson(settings_), run_,
                         learner_->State());
}

absl::Status Trainer::WriteModel() {
  ModelConfig config = config_;
  GM_ASSIGN_OR_RETURN(
      config.weights_sha256,
      WriteTensors(absl::StrCat(settings_.out, "/", config.weights_file),
                   learner_->average(), {{"format", "pt"}}));
  std::string labels;
  for (const std::string& label : train_->labels()) {
    absl::StrAppend(&labels, label, "\n");
  }
  GM_RETURN_IF_ERROR(WriteFileAtomically(
      absl::StrCat(settings_.out, "/", config.labels_file), labels));
  return WriteFileAtomically(settings_.out + "/config.json",
                             FormatModelConfig(config));
}

absl::Status Trainer::WriteLog(const nlohmann::ordered_json& line) {
  std::ofstream log(settings_.out + "/train.log.jsonl", std::ios::app);
  log << line.dump() << "\n";
  log.close();
  return log ? absl::OkStatus()
             : absl::UnavailableError(absl::StrCat(
                   settings_.out, "/train.log.jsonl: cannot be written"));
}

ProgressState Trainer::CurrentProgress() const {
  const int64_t in_epoch = (run_.steps - 1) % steps_per_epoch_ + 1;
  return {.epoch = (run_.steps - 1) / steps_per_epoch_ + 1,
          .epochs = settings_.epochs,
          .steps = run_.steps,
          .total_steps = schedule_.total_steps,
          .loss = run_.loss_sum / static_cast<double>(in_epoch)};
}

double Trainer::SecondsSoFar() const {
  return earlier_seconds_ + ToSeconds(clock_->Now() - start_);
}

}  // namespace groupmamba::training
