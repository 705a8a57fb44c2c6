#include "model/training/learner.h"

#include <cmath>
#include <utility>

#include "ATen/Functions.h"
#include "ATen/autocast_mode.h"
#include "base/status_macros.h"
#include "model/training/loss.h"
#include "model/training/random.h"
#include "torch/utils.h"

namespace groupmamba::training {
namespace {

// Scales both so that their common norm is at most `clip`, unless that is 0;
// returns what it was.
double ClipGradients(double clip, at::Tensor* decayed, at::Tensor* plain) {
  const double norm =
      std::hypot(decayed->norm().item<double>(), plain->norm().item<double>());
  if (clip > 0 && norm > clip) {
    decayed->mul_(clip / norm);
    plain->mul_(clip / norm);
  }
  return norm;
}

// Batch norms take the statistics of all processes' pictures.
ForwardOptions TrainingForward(double drop_path, Peers* peers) {
  ForwardOptions options = {.training = true, .drop_path = drop_path};
  if (peers != nullptr) {
    options.processes = peers->size();
    options.average_over_processes = [peers](const at::Tensor& tensor) {
      return DifferentiableAverage(tensor, peers);
    };
  }
  return options;
}

// Within its scope, and if it is on, LibTorch's products and convolutions on
// that kind of device take bf16.
class Autocast {
 public:
  Autocast(bool on, at::DeviceType type)
      : type_(type), before_(at::autocast::is_autocast_enabled(type)) {
    at::autocast::set_autocast_dtype(type, at::kBFloat16);
    at::autocast::set_autocast_enabled(type, on);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;
  ~Autocast() {
    // The weights' casts are kept until here; the next step has other weights.
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type_, before_);
  }

 private:
  const at::DeviceType type_;
  const bool before_;
};

}  // namespace

Learner::Learner(const ModelConfig& config, const LearnerOptions& options,
                 const Teacher* teacher)
    : classes_(config.classes),
      options_(options),
      teacher_(teacher),
      student_(MakeParameters(config, /*trained=*/true, options.device)),
      average_(MakeParameters(config, /*trained=*/false, options.device)),
      decayed_(student_.decayed, student_.decayed_gradient,
               options.weight_decay),
      plain_(student_.plain, student_.plain_gradient, /*weight_decay=*/0) {
  Initialize(options.seed, &student_);
  UpdateAverage(0);
}

absl::StatusOr<std::unique_ptr<Learner>> Learner::Create(
    const ModelConfig& config, const LearnerOptions& options,
    const Teacher* teacher) {
  std::unique_ptr<Learner> learner(new Learner(config, options, teacher));
  GM_ASSIGN_OR_RETURN(learner->student_network_,
                      Network::Create(config, learner->student_.by_name));
  GM_ASSIGN_OR_RETURN(learner->average_network_,
                      Network::Create(config, learner->average_.by_name));
  return learner;
}

StepResult Learner::Step(const Batch& batch, int64_t step, double learning_rate,
                         double ema_decay) {
  student_.decayed_gradient.zero_();
  student_.plain_gradient.zero_();
  // Drop path draws from LibTorch's generator. Seeding it anew at every step
  // makes its numbers a function of the step (and of the process, whose
  // pictures are others): nothing to store.
  Peers* const peers = options_.peers;
  const uint64_t rank = peers == nullptr ? 0 : peers->rank();
  torch::manual_seed(
      Random({options_.seed, static_cast<uint64_t>(step), rank}).Next());
  const at::Tensor loss = Loss(batch);
  loss.backward();

  const at::NoGradGuard no_grad;
  if (peers != nullptr) {
    peers->Average(&student_.decayed_gradient);
    peers->Average(&student_.plain_gradient);
  }
  StepResult result;
  result.loss = loss.item<double>();
  if (peers != nullptr) result.loss = peers->SumOf(result.loss) / peers->size();
  result.gradient_norm = ClipGradients(
      options_.clip, &student_.decayed_gradient, &student_.plain_gradient);
  decayed_.Step(learning_rate);
  plain_.Step(learning_rate);
  UpdateAverage(ema_decay);
  return result;
}

at::Tensor Learner::Loss(const Batch& batch) const {
  at::Tensor taught;
  if (teacher_ != nullptr && options_.alpha < 1) {
    const at::NoGradGuard no_grad;
    taught = teacher_->Targets(batch);
  }
  HeadLogits logits;
  {
    const Autocast autocast(options_.bf16, options_.device.type());
    logits = student_network_->Forward(
        batch.images, TrainingForward(options_.drop_path, options_.peers));
  }
  return DistilledLoss(logits,
                       SoftTargets(batch.labels, classes_,
                                   options_.label_smoothing, batch.share),
                       taught, options_.alpha);
}

void Learner::UpdateAverage(double decay) {
  const at::NoGradGuard no_grad;
  average_.decayed.lerp_(student_.decayed, 1 - decay);
  average_.plain.lerp_(student_.plain, 1 - decay);
  average_.buffers.lerp_(student_.buffers, 1 - decay);
}

at::Tensor Learner::AverageLogits(const at::Tensor& images) const {
  const c10::InferenceMode inference;
  return average_network_->Forward(images, {}).Mean();
}

at::Tensor Learner::StudentLogits(const at::Tensor& images) const {
  const c10::InferenceMode inference;
  return student_network_->Forward(images, {}).Mean();
}

std::map<std::string, at::Tensor> Learner::State() {
  return {{"student.decayed", student_.decayed},
          {"student.plain", student_.plain},
          {"student.buffers", student_.buffers},
          {"average.decayed", average_.decayed},
          {"average.plain", average_.plain},
          {"average.buffers", average_.buffers},
          {"adamw.decayed.exp_avg", decayed_.mean()},
          {"adamw.decayed.exp_avg_sq", decayed_.square()},
          {"adamw.plain.exp_avg", plain_.mean()},
          {"adamw.plain.exp_avg_sq", plain_.square()}};
}

void Learner::SetSteps(int64_t steps) {
  decayed_.set_steps(steps);
  plain_.set_steps(steps);
}

}  // namespace groupmamba::training
