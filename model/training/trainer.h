// A training run from beginning to end: groupmamba-train's main loop.

#ifndef GROUPMAMBA_MODEL_TRAINING_TRAINER_H_
#define GROUPMAMBA_MODEL_TRAINING_TRAINER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "model/config.h"
#include "model/training/checkpoint.h"
#include "model/training/learner.h"
#include "model/training/peers.h"
#include "model/training/pictures.h"
#include "model/training/progress.h"
#include "model/training/run_folder.h"
#include "model/training/run_log.h"
#include "model/training/run_pictures.h"
#include "model/training/settings.h"
#include "model/training/teacher.h"
#include "nlohmann/json_fwd.hpp"

namespace groupmamba::training {

// Thread-safety: one thread.
class Trainer {
 public:
  // Asked after every step; true: write a checkpoint and end.
  using StopRequested = std::function<bool()>;

  // Goes on from the checkpoint in settings.out if there is one and
  // settings.restart is not set. Everything must be checked already
  // (CheckSettings) and made for MakeModelConfig(settings). `peers`, which must
  // outlive the trainer, are settings.run.processes; null: one process.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(
      const TrainSettings& settings, std::unique_ptr<PictureSource> train,
      std::unique_ptr<PictureSource> test, std::unique_ptr<Teacher> teacher,
      const TimeSource* clock, Peers* peers = nullptr);

  // Trains to the end, writing after every epoch the averaged weights as a
  // model folder, a line of the log and a checkpoint. What cannot be written
  // (the disk is full) is told and tried again with the next checkpoint; only
  // at the end it is an error, and then the same call finishes the run.
  // CANCELLED: it was stopped, and the same call goes on later. INTERNAL: the
  // loss is no longer finite. Throws as Peers do.
  absl::Status Run(const StopRequested& stop);

  // Of the last epoch's averaged weights on the test pictures, 0 to 1.
  double top1() const { return top1_; }

  // Steps of all epochs that are done.
  int64_t steps() const { return run_.steps; }

 private:
  Trainer(const TrainSettings& settings, std::unique_ptr<PictureSource> train,
          std::unique_ptr<PictureSource> test, std::unique_ptr<Teacher> teacher,
          const TimeSource* clock, Peers* peers);

  // Whether this process writes the files, and tells how it goes.
  bool first() const { return peers_ == nullptr || peers_->rank() == 0; }

  absl::Status Restore();
  absl::Status OpenFolder();
  void ShareRestored();
  absl::Status OneStep();
  absl::Status EndEpoch();
  absl::Status StopHere();
  bool Stopping(const StopRequested& stop);
  bool CheckpointIsDue() const;

  // Top-1, 0 to 1, on the first `limit` pictures of a split, shared out among
  // the processes.
  absl::StatusOr<double> Evaluate(FashionSplit split, int64_t limit,
                                  bool averaged);

  absl::Status SaveCheckpoint();
  absl::Status WriteModel();
  void LogStep();
  void Log(const nlohmann::ordered_json& line);
  void Tell(const absl::Status& written);
  void Note(absl::string_view line);
  ProgressState CurrentProgress() const;
  double SecondsSoFar() const;

  const TrainSettings settings_;
  const ModelConfig config_;
  const std::unique_ptr<Teacher> teacher_;
  const TimeSource* const clock_;
  Peers* const peers_;
  RunPictures pictures_;
  const int64_t steps_per_epoch_;
  const ScheduleSpec schedule_;
  std::unique_ptr<RunFolder> folder_;  // the first process's, and its log
  std::unique_ptr<RunLog> log_;
  std::unique_ptr<Learner> learner_;
  Progress progress_;
  const TimePoint start_;
  TimePoint last_checkpoint_;
  double earlier_seconds_ = 0;  // of sittings before this one
  int64_t last_checkpoint_step_ = 0;
  RunProgress run_;
  StepResult last_step_;

  // Since the log's last line of a step.
  struct {
    TimePoint start;
    int64_t steps = 0;
    double data_seconds = 0;
    double exchange_seconds = 0;  // peers_->seconds() at its start
  } window_;

  double top1_ = 0;
  absl::Status told_;  // what was last told of writing
};

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_TRAINER_H_
