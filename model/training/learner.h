// One model being trained: its weights, their average, the optimiser's moments.

#ifndef GROUPMAMBA_MODEL_TRAINING_LEARNER_H_
#define GROUPMAMBA_MODEL_TRAINING_LEARNER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/network.h"
#include "model/training/adamw.h"
#include "model/training/batch.h"
#include "model/training/parameters.h"
#include "model/training/peers.h"
#include "model/training/teacher.h"

namespace groupmamba::training {

struct LearnerOptions {
  // The true label's share of the loss; at 1 a teacher is not asked.
  double alpha = 1;
  double label_smoothing = 0;  // of the true label's targets only
  double weight_decay = 0;
  double clip = 0;  // highest norm of the gradient; 0: not clipped
  double drop_path = 0;
  // Products and convolutions of forward and backward in bf16; weights,
  // gradients, moments and averages stay fp32.
  bool bf16 = false;
  uint64_t seed = 1;
  at::Device device = at::kCPU;  // where batches are, and everything else
  Peers* peers = nullptr;        // outlives the learner; null: one process
};

struct StepResult {
  double loss = 0;           // of all processes' pictures
  double gradient_norm = 0;  // before it was clipped
};

// Thread-safety: one call at a time.
class Learner {
 public:
  // `teacher` may be null; it must outlive the learner.
  static absl::StatusOr<std::unique_ptr<Learner>> Create(
      const ModelConfig& config, const LearnerOptions& options,
      const Teacher* teacher);

  // One step of AdamW at this learning rate; then the average keeps `ema_decay`
  // of itself. `step` decides the random numbers of drop path. With peers each
  // brings a part of the batch, and all have the same weights after it. The
  // loss may be non-finite: the weights are then lost.
  StepResult Step(const Batch& batch, int64_t step, double learning_rate,
                  double ema_decay);

  // [n, classes], of the averaged weights or of those being trained.
  at::Tensor AverageLogits(const at::Tensor& images) const;
  at::Tensor StudentLogits(const at::Tensor& images) const;

  // The averaged weights by name.
  const TensorMap& average() const { return average_.by_name; }

  // All that the next steps depend on, by name; the learner's own memory, so
  // that copying into it restores a state (SetSteps completes it).
  std::map<std::string, at::Tensor> State();

  // Says how many steps the state copied in has behind it.
  void SetSteps(int64_t steps);

 private:
  Learner(const ModelConfig& config, const LearnerOptions& options,
          const Teacher* teacher);

  at::Tensor Loss(const Batch& batch) const;
  void UpdateAverage(double decay);

  const int64_t classes_;
  const LearnerOptions options_;
  const Teacher* const teacher_;
  Parameters student_;
  Parameters average_;
  AdamW decayed_;  // of the student's weights
  AdamW plain_;
  std::unique_ptr<Network> student_network_;
  std::unique_ptr<Network> average_network_;
};

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_LEARNER_H_
