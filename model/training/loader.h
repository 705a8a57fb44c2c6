// Reads, decodes and changes pictures ahead of the training, on threads of its
// own, so that the arithmetic never waits where the disk and the decoder keep
// up.

#ifndef GROUPMAMBA_MODEL_TRAINING_LOADER_H_
#define GROUPMAMBA_MODEL_TRAINING_LOADER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "model/config.h"
#include "model/training/augment.h"
#include "model/training/pictures.h"

namespace groupmamba::training {

// Which pictures a step sees.
struct PlannedStep {
  int64_t epoch = 0;  // part of what decides the random changes
  std::vector<int32_t> pictures;
};

// Asked once for every step, in their order, by one thread at a time.
using Plan = std::function<PlannedStep(int64_t step)>;

struct LoadedBatch {
  std::vector<uint8_t> pixels;    // [n, crop, crop, 3]
  std::vector<int32_t> labels;    // -1: a test picture that cannot be read
  std::vector<int32_t> pictures;  // which they are
};

// The pictures of a source that could not be read, told on standard error one
// by one. Thread-safe.
class BrokenPictures {
 public:
  // More than `most` different ones end the run.
  explicit BrokenPictures(int64_t most) : most_(most) {}

  // DATA_LOSS, with the first names, once there are too many.
  absl::Status Add(const std::string& name, const absl::Status& why);

  int64_t count() const;

 private:
  const int64_t most_;
  mutable Mutex mutex_;
  std::set<std::string> names_ ABSL_GUARDED_BY(mutex_);
};

struct LoaderOptions {
  InputConfig input;
  // Without a value the pictures are as they are served.
  std::optional<AugmentSpec> augment = std::nullopt;
  uint64_t seed = 1;
  int threads = 1;
  int ahead = 2;  // batches that may be under way or waiting
  int64_t first_step = 0;
  int64_t end_step = 0;  // one past the last
};

// A batch depends on its plan, the seed and the source alone, not on the number
// of threads. Memory: `ahead` batches of pixels, and a decoded picture a
// thread.
//
// A training picture that cannot be read is replaced by the next in the data's
// order, with that one's label. A test picture that cannot be read is black and
// has no label, so that no answer is right.
//
// Thread-safety: Next from one thread.
class Loader {
 public:
  // What is pointed to must outlive the loader.
  Loader(const PictureSource* source, BrokenPictures* broken,
         const LoaderOptions& options, Plan plan);
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader();

  // The batches of first_step, first_step + 1, ...; OUT_OF_RANGE after the
  // last. Errors: of BrokenPictures::Add. Afterwards the loader is of no use.
  absl::StatusOr<LoadedBatch> Next();

 private:
  // A batch under way.
  struct Slot {
    int64_t step = -1;
    PlannedStep plan;
    LoadedBatch batch;
    size_t missing = 0;  // pictures that are not there yet
    absl::Status status;
  };
  // A picture of a batch: what a thread works at.
  struct Piece {
    Slot* slot = nullptr;
    size_t place = 0;
  };

  void Work();
  bool Claim(Piece* piece);
  absl::Status Fill(Slot* slot, size_t place) const;
  absl::Status Render(int64_t picture, int64_t epoch,
                      absl::Span<uint8_t> out) const;

  const PictureSource* const source_;
  BrokenPictures* const broken_;
  const LoaderOptions options_;
  const Plan plan_;

  Mutex mutex_;
  CondVar room_;   // for another batch
  CondVar ready_;  // a batch is
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_step_ ABSL_GUARDED_BY(mutex_);      // to be claimed from
  size_t next_place_ ABSL_GUARDED_BY(mutex_) = 0;  // in it
  int64_t taken_ ABSL_GUARDED_BY(mutex_);          // the step that Next gives
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mutex_);

  std::vector<std::thread> threads_;  // last: they use all of the above
};

// Plans steps of `batch` pictures in the data's order, the last one smaller.
Plan InOrder(int64_t count, int64_t batch);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_LOADER_H_
