// AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
// algorithm 2) with the usual betas 0.9 and 0.999 and epsilon 1e-8.

#ifndef GROUPMAMBA_MODEL_TRAINING_ADAMW_H_
#define GROUPMAMBA_MODEL_TRAINING_ADAMW_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace groupmamba::training {

// Of weights that lie in one flat tensor. By LibTorch's fused kernel, which
// goes over the memory once; its torch::optim::AdamW takes eight passes, a
// twentieth of a step of tiny. Thread-safety: one call at a time.
class AdamW {
 public:
  // Both fp32, of the same shape and device; their memory is shared.
  AdamW(at::Tensor weights, at::Tensor gradient, double weight_decay);

  void Step(double learning_rate);

  // Running means of the gradient and of its square, which a restored state is
  // copied into, and the steps that they have behind them.
  const at::Tensor& mean() const { return mean_; }
  const at::Tensor& square() const { return square_; }
  void set_steps(int64_t steps);

 private:
  at::Tensor weights_;
  at::Tensor gradient_;
  const double weight_decay_;
  at::Tensor mean_;
  at::Tensor square_;
  at::Tensor steps_;  // a scalar, as the kernel wants it
};

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_ADAMW_H_
