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
#include "model/training/loader.h"
#include "model/training/pictures.h"
#include "model/training/progress.h"
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
  // (CheckSettings) and made for MakeModelConfig(settings).
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(
      const TrainSettings& settings, std::unique_ptr<PictureSource> train,
      std::unique_ptr<PictureSource> test, std::unique_ptr<Teacher> teacher,
      const TimeSource* clock);

  // Trains to the end, writing after every epoch the averaged weights as a
  // model folder, a line of the log and a checkpoint. CANCELLED: it was
  // stopped, and the same call goes on later. INTERNAL: the loss is no longer
  // finite.
  absl::Status Run(const StopRequested& stop);

  // Of the last epoch's averaged weights on the test pictures, 0 to 1.
  double top1() const { return top1_; }

  // Steps of all epochs that are done.
  int64_t steps() const { return run_.steps; }

 private:
  Trainer(const TrainSettings& settings, std::unique_ptr<PictureSource> train,
          std::unique_ptr<PictureSource> test, std::unique_ptr<Teacher> teacher,
          const TimeSource* clock);

  absl::Status Restore();
  absl::Status OneStep();
  absl::Status EndEpoch();
  PlannedStep PlanStep(int64_t step);
  LoaderOptions MakeLoaderOptions() const;
  absl::StatusOr<double> Evaluate();
  absl::Status SaveCheckpoint();
  absl::Status WriteModel();
  absl::Status WriteLog(const nlohmann::ordered_json& line);
  ProgressState CurrentProgress() const;
  double SecondsSoFar() const;

  const TrainSettings settings_;
  const ModelConfig config_;
  const std::unique_ptr<PictureSource> train_;
  const std::unique_ptr<PictureSource> test_;
  const std::unique_ptr<Teacher> teacher_;
  const TimeSource* const clock_;
  const int64_t steps_per_epoch_;
  const ScheduleSpec schedule_;
  std::unique_ptr<Learner> learner_;
  Progress progress_;
  const TimePoint start_;
  TimePoint last_checkpoint_;
  double earlier_seconds_ = 0;  // of sittings before this one
  RunProgress run_;
  double top1_ = 0;
  BrokenPictures broken_train_;
  BrokenPictures broken_test_;

  // PlanStep's, on the loader's threads, one at a time.
  int64_t order_epoch_ = -1;  // whose order is held
  std::vector<int32_t> order_;

  std::unique_ptr<Loader> loader_;  // last: its threads use the above
};

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_TRAINER_H_
