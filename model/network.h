// GroupMamba as a composition of LibTorch operators and our scan. One forward
// for serving and for training; config.json decides the form and the sizes.

#ifndef GROUPMAMBA_MODEL_NETWORK_H_
#define GROUPMAMBA_MODEL_NETWORK_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config.h"

namespace groupmamba {

// By name of the state dict (model/manifest.h).
using TensorMap = std::map<std::string, at::Tensor>;

struct ForwardOptions {
  // Batch norms use and update the batch's statistics; drop path is active.
  bool training = false;

  // Probability that a block's branch is left out for a picture, at the last
  // block; it rises linearly from 0 at the first. Only while training.
  double drop_path = 0;

  // Where several processes train one model: how many, and the mean of a tensor
  // over them, differentiable. Batch norms then take the statistics of all
  // their pictures; each process must have as many.
  int processes = 1;
  std::function<at::Tensor(const at::Tensor&)> average_over_processes = nullptr;

  // Called with the output of every module that tests/data/golden traces, by
  // its name.
  std::function<void(absl::string_view name, const at::Tensor& output)> trace =
      nullptr;
};

// What the heads say. `distillation` is undefined for the paper form, which has
// one head.
struct HeadLogits {
  at::Tensor head;          // [batch, classes]
  at::Tensor distillation;  // [batch, classes]

  // What serving answers: the mean of the heads, or the only one.
  at::Tensor Mean() const;
};

// Thread-safety: Forward may run on several threads at once unless training.
class Network {
 public:
  // Keeps the tensors, does not copy them: whoever trains holds the same ones,
  // with requires_grad set. Every one of ListParameters(config) but the
  // counters must be there with its shape; INVALID_ARGUMENT names the one that
  // is not.
  static absl::StatusOr<std::unique_ptr<Network>> Create(
      const ModelConfig& config, TensorMap tensors);
  virtual ~Network() = default;

  // x: [batch, 3, height, width], fp32, normalised; any height and width
  // from 32.
  virtual HeadLogits Forward(const at::Tensor& x,
                             const ForwardOptions& options) const = 0;

  // Folds every batch norm into the convolution before it. For serving; the
  // network cannot be trained afterwards.
  virtual void FoldBatchNorms() = 0;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_NETWORK_H_
