// A model's numbers in three flat tensors, so that the optimiser, the average,
// the clipping and the checkpoint each work on a few long vectors instead of
// hundreds of short ones. The network sees them by name.

#ifndef GROUPMAMBA_MODEL_TRAINING_PARAMETERS_H_
#define GROUPMAMBA_MODEL_TRAINING_PARAMETERS_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "model/config.h"
#include "model/network.h"

namespace groupmamba::training {

struct Parameters {
  // [n], fp32. Between the tensors lie unused zeros that align each to 64
  // bytes.
  at::Tensor
      decayed;       // weight matrices and kernels, which weight decay shrinks
  at::Tensor plain;  // norms, biases, A_logs, Ds, skip_scale
  at::Tensor buffers;  // running statistics of the batch norms

  // Of decayed and plain; undefined when nothing is trained.
  at::Tensor decayed_gradient;
  at::Tensor plain_gradient;

  // Every tensor by its name, sharing the memory above. When trained, each
  // requires a gradient, which backward adds to decayed_gradient or
  // plain_gradient.
  TensorMap by_name;
};

// Zeros everywhere, on `device`.
Parameters MakeParameters(const ModelConfig& config, bool trained,
                          at::Device device = at::kCPU);

// Weights before training, decided by `seed` alone, not by the device: matrices
// normal with variance 1 / fan-in, kernels 2 / fan-in, norms and skips 1,
// biases 0, A = -1, the bias of Delta so that softplus(bias) is log-uniform in
// [0.001, 0.1] (Gu and Dao, Mamba, arXiv:2312.00752, section 3.6).
void Initialize(uint64_t seed, Parameters* parameters);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_PARAMETERS_H_
