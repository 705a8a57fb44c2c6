// The processes that train one model together, over LibTorch's distributed
// package (c10d): with NCCL where they train on GPUs, else with Gloo.

#ifndef GROUPMAMBA_MODEL_TRAINING_PEERS_H_
#define GROUPMAMBA_MODEL_TRAINING_PEERS_H_

#include <cstdint>
#include <memory>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "model/training/launch.h"

namespace groupmamba::training {

// The calls below are made by all processes in the same order, and return when
// all have. They throw std::runtime_error when another process is gone (at
// once, where its connection breaks) or silent for timeout_s: what this process
// has learned since the last checkpoint is then lost.
//
// Thread-safety: one thread.
class Peers {
 public:
  // Waits for all of them. `device` is what this one trains on; tensors below
  // may be there or on the processor. UNAVAILABLE: they did not come.
  static absl::StatusOr<std::unique_ptr<Peers>> Join(
      const PeerSpec& spec, const TimeSource* clock,
      at::Device device = at::kCPU);
  virtual ~Peers() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // In place: the sum over the processes, the same bits in each of them.
  virtual void Sum(at::Tensor* tensor) = 0;

  // In place: what rank 0 has.
  virtual void TakeFromFirst(at::Tensor* tensor) = 0;

  // Spent in these calls so far, most of it in waiting.
  virtual double seconds() const = 0;

  // In place: the mean over the processes.
  void Average(at::Tensor* tensor);

  // Of a number in each process.
  double SumOf(double number);
};

// The mean over the processes, which autograd sees through: the gradient is the
// mean of theirs, as fits a loss that is the mean of theirs.
at::Tensor DifferentiableAverage(const at::Tensor& tensor, Peers* peers);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_PEERS_H_
