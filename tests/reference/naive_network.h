// The released network as a user of LibTorch writes it down from the authors'
// code: one operator after another over a whole batch, pictures in [batch,
// channel, row, column], directions by transposing and flipping copies, batch
// norms where they stand. A yardstick for benches, and a second opinion for
// tests; only the recurrence itself is the fast one of kernels/, as the
// authors' code calls one of CUDA's.

#ifndef GROUPMAMBA_TESTS_REFERENCE_NAIVE_NETWORK_H_
#define GROUPMAMBA_TESTS_REFERENCE_NAIVE_NETWORK_H_

#include "ATen/core/Tensor.h"
#include "model/config.h"
#include "model/network.h"

namespace groupmamba::reference {

// Logits [batch, classes] of pictures [batch, 3, height, width], normalised;
// the mean of both heads. `weights` as Network::Create takes them, of a
// released form. bf16: under LibTorch's autocast, as its users run it. Throws
// what LibTorch throws.
at::Tensor NaiveLogits(const ModelConfig& config, const TensorMap& weights,
                       const at::Tensor& pictures, bool bf16);

}  // namespace groupmamba::reference

#endif  // GROUPMAMBA_TESTS_REFERENCE_NAIVE_NETWORK_H_
