// The pictures of a run: one process's part of every training batch, and its
// part of the tests.

#ifndef GROUPMAMBA_MODEL_TRAINING_RUN_PICTURES_H_
#define GROUPMAMBA_MODEL_TRAINING_RUN_PICTURES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "model/training/batch.h"
#include "model/training/fashion.h"
#include "model/training/loader.h"
#include "model/training/pictures.h"
#include "model/training/settings.h"

namespace groupmamba::training {

// Thread-safety: one thread.
class RunPictures {
 public:
  // `rank`: which of the settings' processes this is. Batches are on the
  // settings' device (device.h).
  RunPictures(const TrainSettings& settings,
              std::unique_ptr<PictureSource> train,
              std::unique_ptr<PictureSource> test, int64_t rank);

  const PictureSource& train() const { return *train_; }
  const PictureSource& test() const { return *test_; }
  int64_t steps_per_epoch() const { return steps_per_epoch_; }

  // Pictures that could not be read so far.
  int64_t broken() const;

  // Loads ahead from that step on; once, before NextBatch.
  void Start(int64_t first_step, int64_t end_step);

  // Of the next step, changed and mixed as seed, epoch and step decide. Errors:
  // those of Loader::Next.
  absl::StatusOr<Batch> NextBatch();

  // How many of the first `limit` pictures of a split, as they are served, get
  // their highest logit for their own class. Shared out among the processes:
  // the sum of what they return counts. Errors likewise.
  using Logits = std::function<at::Tensor(const at::Tensor& images)>;
  absl::StatusOr<int64_t> CountRight(FashionSplit split, int64_t limit,
                                     const Logits& logits);

 private:
  LoaderOptions MakeLoaderOptions() const;
  PlannedStep PlanStep(int64_t step);

  const TrainSettings settings_;
  const ModelConfig config_;
  const at::Device device_;
  const std::unique_ptr<PictureSource> train_;
  const std::unique_ptr<PictureSource> test_;
  const int64_t rank_;
  const int64_t steps_per_epoch_;
  BrokenPictures broken_train_;
  BrokenPictures broken_test_;
  int64_t next_step_ = 0;

  // PlanStep's: on the loader's threads, one at a time.
  int64_t order_epoch_ = -1;  // whose order is held
  std::vector<int32_t> order_;

  std::unique_ptr<Loader> loader_;  // last: its threads use the above
};

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_RUN_PICTURES_H_
