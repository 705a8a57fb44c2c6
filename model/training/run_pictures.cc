#include "model/training/run_pictures.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ATen/TensorOperators.h"
#include "base/status_macros.h"
#include "model/training/augment.h"
#include "model/training/device.h"
#include "model/training/mix.h"

namespace groupmamba::training {
namespace {

constexpr int64_t kTestBatch = 250;  // pictures

}  // namespace

RunPictures::RunPictures(const TrainSettings& settings,
                         std::unique_ptr<PictureSource> train,
                         std::unique_ptr<PictureSource> test, int64_t rank)
    : settings_(settings),
      config_(MakeModelConfig(settings)),
      device_(DeviceOf(settings.run)),
      train_(std::move(train)),
      test_(std::move(test)),
      rank_(rank),
      steps_per_epoch_(train_->count() / settings.batch),
      broken_train_(settings.pictures.max_broken),
      broken_test_(settings.pictures.max_broken) {}

int64_t RunPictures::broken() const {
  return broken_train_.count() + broken_test_.count();
}

LoaderOptions RunPictures::MakeLoaderOptions() const {
  return {.input = config_.input,
          .augment = std::nullopt,
          .seed = settings_.seed,
          .threads = settings_.pictures.loader_threads};
}

void RunPictures::Start(int64_t first_step, int64_t end_step) {
  LoaderOptions options = MakeLoaderOptions();
  options.augment = MakeAugmentSpec(settings_);
  options.first_step = next_step_ = first_step;
  options.end_step = end_step;
  loader_ =
      std::make_unique<Loader>(train_.get(), &broken_train_, options,
                               [this](int64_t step) { return PlanStep(step); });
}

// This process's part of a step's pictures.
PlannedStep RunPictures::PlanStep(int64_t step) {
  const int64_t epoch = step / steps_per_epoch_;
  if (epoch != order_epoch_) {
    order_ = EpochOrder(settings_.seed, epoch, train_->count());
    order_epoch_ = epoch;
  }
  const int64_t share = settings_.batch / settings_.run.processes;
  const auto first = order_.begin() +
                     step % steps_per_epoch_ * settings_.batch + rank_ * share;
  return {.epoch = epoch, .pictures = {first, first + share}};
}

absl::StatusOr<Batch> RunPictures::NextBatch() {
  GM_ASSIGN_OR_RETURN(const LoadedBatch loaded, loader_->Next());
  Batch batch = MakeBatch(loaded, config_.input, device_);
  ApplyMix(DrawMix(MakeMixSpec(settings_), config_.input.crop,
                   MixRandom(settings_.seed, next_step_)),
           &batch);
  ++next_step_;
  return batch;
}

absl::StatusOr<int64_t> RunPictures::CountRight(FashionSplit split,
                                                int64_t limit,
                                                const Logits& logits) {
  const bool train = split == FashionSplit::kTrain;
  const PictureSource& pictures = train ? *train_ : *test_;
  const int64_t total = std::min(limit, pictures.count());
  const int64_t batches = (total + kTestBatch - 1) / kTestBatch;
  const int64_t processes = settings_.run.processes;
  const Plan all = InOrder(total, kTestBatch);
  LoaderOptions options = MakeLoaderOptions();
  options.end_step =
      std::max<int64_t>(0, (batches - rank_ + processes - 1) / processes);
  Loader loader(&pictures, train ? &broken_train_ : &broken_test_, options,
                [&](int64_t step) { return all(step * processes + rank_); });
  int64_t right = 0;
  for (int64_t step = 0; step < options.end_step; ++step) {
    GM_ASSIGN_OR_RETURN(const LoadedBatch loaded, loader.Next());
    const Batch batch = MakeBatch(loaded, config_.input, device_);
    right +=
        logits(batch.images).argmax(1).eq(batch.labels).sum().item<int64_t>();
  }
  return right;
}

}  // namespace groupmamba::training
