#include "model/training/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "model/file.h"
#include "model/manifest.h"
#include "model/training/device.h"
#include "nlohmann/json.hpp"

namespace groupmamba::training {
namespace {

constexpr int64_t kTrainProbe = 2000;  // training pictures tested on
constexpr double kSmoothing = 0.98;    // stays of the smoothed loss at a step

LearnerOptions MakeLearnerOptions(const TrainSettings& s, Peers* peers) {
  return {.alpha = s.teacher.empty() ? 1 : s.alpha,
          .label_smoothing = s.label_smoothing,
          .weight_decay = s.weight_decay,
          .clip = s.clip,
          .drop_path = s.drop_path,
          .bf16 = s.precision == "bf16",
          .seed = s.seed,
          .device = DeviceOf(s.run),
          .peers = peers};
}

}  // namespace

Trainer::Trainer(const TrainSettings& settings,
                 std::unique_ptr<PictureSource> train,
                 std::unique_ptr<PictureSource> test,
                 std::unique_ptr<Teacher> teacher, const TimeSource* clock,
                 Peers* peers)
    : settings_(settings),
      config_(MakeModelConfig(settings)),
      teacher_(std::move(teacher)),
      clock_(clock),
      peers_(peers),
      pictures_(settings, std::move(train), std::move(test),
                peers == nullptr ? 0 : peers->rank()),
      steps_per_epoch_(pictures_.steps_per_epoch()),
      schedule_(MakeSchedule(settings, steps_per_epoch_)),
      progress_(clock, isatty(STDERR_FILENO) == 1, settings.batch),
      start_(clock->Now()),
      last_checkpoint_(start_) {}

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(
    const TrainSettings& settings, std::unique_ptr<PictureSource> train,
    std::unique_ptr<PictureSource> test, std::unique_ptr<Teacher> teacher,
    const TimeSource* clock, Peers* peers) {
  if (train->count() < settings.batch) {
    return absl::InvalidArgumentError(
        absl::StrCat("--batch ", settings.batch, " is more than the ",
                     train->count(), " training pictures"));
  }
  std::unique_ptr<Trainer> trainer(
      new Trainer(settings, std::move(train), std::move(test),
                  std::move(teacher), clock, peers));
  GM_ASSIGN_OR_RETURN(
      trainer->learner_,
      Learner::Create(trainer->config_, MakeLearnerOptions(settings, peers),
                      trainer->teacher_.get()));
  GM_RETURN_IF_ERROR(trainer->Restore());
  trainer->pictures_.Start(trainer->run_.steps, trainer->schedule_.total_steps);
  return trainer;
}

absl::Status Trainer::Restore() {
  if (first()) {
    GM_RETURN_IF_ERROR(OpenFolder());
  }
  if (peers_ != nullptr) {
    ShareRestored();
  }
  learner_->SetSteps(run_.steps);
  earlier_seconds_ = run_.seconds;
  last_checkpoint_step_ = run_.steps;
  window_.start = clock_->Now();
  Log({{"event", run_.steps == 0 ? "start" : "resume"},
       {"step", run_.steps},
       {"parameters", CountParameters(config_)},
       {"train_pictures", pictures_.train().count()},
       {"test_pictures", pictures_.test().count()},
       {"settings",
        nlohmann::ordered_json::parse(ResultSettingsJson(settings_))}});
  return absl::OkStatus();
}

// The first process's part of Restore.
absl::Status Trainer::OpenFolder() {
  GM_ASSIGN_OR_RETURN(folder_, RunFolder::Open(settings_.out));
  if (settings_.restart) {
    RemoveCheckpoints(settings_.out);
  } else {
    std::string warning;
    absl::StatusOr<RunProgress> restored =
        ReadCheckpoint(settings_.out, ResultSettingsJson(settings_),
                       learner_->State(), &warning);
    if (restored.ok()) {
      run_ = *restored;
      if (!warning.empty()) Note(warning);
      Note(absl::StrCat("going on from step ", run_.steps, " of ",
                        schedule_.total_steps));
    } else if (!absl::IsNotFound(restored.status())) {
      return restored.status();
    }
  }
  GM_ASSIGN_OR_RETURN(
      log_, RunLog::Open(settings_.out, run_.steps, settings_.run.tensorboard));
  return absl::OkStatus();
}

// The other processes need not see the first one's files.
void Trainer::ShareRestored() {
  at::Tensor numbers =
      at::tensor({static_cast<double>(run_.steps), run_.loss_sum,
                  run_.smoothed_loss, run_.seconds},
                 at::kDouble);
  peers_->TakeFromFirst(&numbers);
  const double* n = numbers.const_data_ptr<double>();
  run_ = {.steps = static_cast<int64_t>(n[0]),
          .loss_sum = n[1],
          .smoothed_loss = n[2],
          .seconds = n[3]};
  for (auto& [name, tensor] : learner_->State()) {
    peers_->TakeFromFirst(&tensor);
  }
}

absl::Status Trainer::Run(const StopRequested& stop) {
  if (run_.steps == schedule_.total_steps) {
    GM_ASSIGN_OR_RETURN(top1_,
                        Evaluate(FashionSplit::kTest, pictures_.test().count(),
                                 /*averaged=*/true));
    return absl::OkStatus();
  }
  while (run_.steps < schedule_.total_steps) {
    GM_RETURN_IF_ERROR(OneStep());
    if (first()) {
      progress_.Update(CurrentProgress());
    }
    const bool epoch_ends = run_.steps % steps_per_epoch_ == 0;
    if (run_.steps % settings_.run.log_steps == 0 || epoch_ends) {
      LogStep();
    }
    if (epoch_ends) {
      GM_RETURN_IF_ERROR(EndEpoch());
    }
    if (run_.steps == schedule_.total_steps) {
      break;
    }
    if (epoch_ends) {
      Tell(WriteModel());
    }
    if (epoch_ends || CheckpointIsDue()) {
      Tell(SaveCheckpoint());
    }
    if (Stopping(stop)) {
      return StopHere();
    }
  }
  GM_RETURN_IF_ERROR(WriteModel());
  return SaveCheckpoint();
}

absl::Status Trainer::StopHere() {
  GM_RETURN_IF_ERROR(SaveCheckpoint());
  return absl::CancelledError(absl::StrCat(
      "stopped at step ", run_.steps, " of ", schedule_.total_steps,
      "; the same command goes on from there"));
}

// All processes end at the same step, whichever was asked to.
bool Trainer::Stopping(const StopRequested& stop) {
  const bool asked = stop();
  return peers_ == nullptr ? asked : peers_->SumOf(asked ? 1 : 0) > 0;
}

bool Trainer::CheckpointIsDue() const {
  const int64_t steps = settings_.run.checkpoint_steps;
  return (steps > 0 && run_.steps % steps == 0) ||
         ToSeconds(clock_->Now() - last_checkpoint_) >
             60 * settings_.run.checkpoint_minutes;
}

absl::Status Trainer::OneStep() {
  const TimePoint begin = clock_->Now();
  GM_ASSIGN_OR_RETURN(const Batch batch, pictures_.NextBatch());
  window_.data_seconds += ToSeconds(clock_->Now() - begin);
  last_step_ =
      learner_->Step(batch, run_.steps, LearningRate(schedule_, run_.steps),
                     EmaDecay(settings_.ema, run_.steps));
  if (!std::isfinite(last_step_.loss)) {
    Log({{"event", "diverged"}, {"step", run_.steps}});
    return absl::InternalError(absl::StrCat(
        "the loss is not finite at step ", run_.steps,
        "; the last checkpoint is kept: a lower --learning-rate may help"));
  }
  run_.loss_sum += last_step_.loss;
  run_.smoothed_loss = run_.steps == 0 ? last_step_.loss
                                       : kSmoothing * run_.smoothed_loss +
                                             (1 - kSmoothing) * last_step_.loss;
  ++run_.steps;
  ++window_.steps;
  return absl::OkStatus();
}

void Trainer::LogStep() {
  const double exchanged = peers_ == nullptr ? 0 : peers_->seconds();
  const double seconds = ToSeconds(clock_->Now() - window_.start);
  const auto steps = static_cast<double>(window_.steps);
  Log({{"event", "step"},
       {"step", run_.steps},
       {"loss", last_step_.loss},
       {"smoothed_loss", run_.smoothed_loss},
       {"gradient_norm", last_step_.gradient_norm},
       {"learning_rate", LearningRate(schedule_, run_.steps - 1)},
       {"images_per_s",
        seconds > 0 ? steps * static_cast<double>(settings_.batch) / seconds
                    : 0},
       {"step_seconds",
        {{"whole", seconds / steps},
         {"data", window_.data_seconds / steps},
         {"exchange", (exchanged - window_.exchange_seconds) / steps}}}});
  window_ = {.start = clock_->Now(),
             .steps = 0,
             .data_seconds = 0,
             .exchange_seconds = exchanged};
}

absl::Status Trainer::EndEpoch() {
  const double mean_loss =
      run_.loss_sum / static_cast<double>(steps_per_epoch_);
  GM_ASSIGN_OR_RETURN(top1_,
                      Evaluate(FashionSplit::kTest, pictures_.test().count(),
                               /*averaged=*/true));
  GM_ASSIGN_OR_RETURN(const double student,
                      Evaluate(FashionSplit::kTest, pictures_.test().count(),
                               /*averaged=*/false));
  GM_ASSIGN_OR_RETURN(
      const double train,
      Evaluate(FashionSplit::kTrain, kTrainProbe, /*averaged=*/true));
  const int64_t epoch = run_.steps / steps_per_epoch_;
  Note(absl::StrFormat(
      "epoch %d of %d: loss %.4f, top-1 of the averaged weights %.2f %%, %.0f "
      "min so far",
      epoch, settings_.epochs, mean_loss, 100 * top1_, SecondsSoFar() / 60));
  Log({{"event", "epoch"},
       {"epoch", epoch},
       {"step", run_.steps},
       {"learning_rate", LearningRate(schedule_, run_.steps - 1)},
       {"loss", mean_loss},
       {"top1", top1_},
       {"student_top1", student},
       {"train_top1", train},
       {"broken_pictures", pictures_.broken()},
       {"images_per_s", progress_.images_per_s()},
       {"seconds", SecondsSoFar()}});
  run_.loss_sum = 0;
  window_.start = clock_->Now();
  return absl::OkStatus();
}

absl::StatusOr<double> Trainer::Evaluate(FashionSplit split, int64_t limit,
                                         bool averaged) {
  GM_ASSIGN_OR_RETURN(
      const int64_t right,
      pictures_.CountRight(split, limit, [&](const at::Tensor& images) {
        return averaged ? learner_->AverageLogits(images)
                        : learner_->StudentLogits(images);
      }));
  const bool train = split == FashionSplit::kTrain;
  const PictureSource& pictures = train ? pictures_.train() : pictures_.test();
  const auto sum = static_cast<double>(right);
  return (peers_ == nullptr ? sum : peers_->SumOf(sum)) /
         static_cast<double>(std::min(limit, pictures.count()));
}

absl::Status Trainer::SaveCheckpoint() {
  last_checkpoint_ = clock_->Now();
  if (!first()) {
    return absl::OkStatus();
  }
  run_.seconds = SecondsSoFar();
  const absl::Status written = WriteCheckpoint(
      settings_.out, ResultSettingsJson(settings_), run_, learner_->State());
  if (!written.ok()) {
    return absl::Status(
        written.code(),
        absl::StrCat(written.message(), "; the checkpoint of step ",
                     last_checkpoint_step_,
                     last_checkpoint_step_ == 0 ? " (the beginning)" : "",
                     " stays the last one"));
  }
  last_checkpoint_step_ = run_.steps;
  return absl::OkStatus();
}

absl::Status Trainer::WriteModel() {
  if (!first()) {
    return absl::OkStatus();
  }
  ModelConfig config = config_;
  GM_ASSIGN_OR_RETURN(
      config.weights_sha256,
      WriteTensors(absl::StrCat(settings_.out, "/", config.weights_file),
                   learner_->average(), {{"format", "pt"}}));
  std::string labels;
  for (const std::string& label : pictures_.train().labels()) {
    absl::StrAppend(&labels, label, "\n");
  }
  GM_RETURN_IF_ERROR(WriteFileAtomically(
      absl::StrCat(settings_.out, "/", config.labels_file), labels));
  return WriteFileAtomically(settings_.out + "/config.json",
                             FormatModelConfig(config));
}

// What cannot be written does not end a run that may take days.
void Trainer::Tell(const absl::Status& written) {
  if (written.ok() || written == told_) {
    return;  // once, not at every line
  }
  told_ = written;
  Note(absl::StrCat("not written: ", written.message(), "; going on"));
}

void Trainer::Log(const nlohmann::ordered_json& line) {
  if (first()) {
    Tell(log_->Write(line));
  }
}

void Trainer::Note(absl::string_view line) {
  if (first()) {
    progress_.Note(line);
  }
}

ProgressState Trainer::CurrentProgress() const {
  const int64_t in_epoch = (run_.steps - 1) % steps_per_epoch_ + 1;
  return {.epoch = (run_.steps - 1) / steps_per_epoch_ + 1,
          .epochs = settings_.epochs,
          .steps = run_.steps,
          .total_steps = schedule_.total_steps,
          .loss = run_.loss_sum / static_cast<double>(in_epoch),
          .gradient_norm = last_step_.gradient_norm};
}

double Trainer::SecondsSoFar() const {
  return earlier_seconds_ + ToSeconds(clock_->Now() - start_);
}

}  // namespace groupmamba::training
