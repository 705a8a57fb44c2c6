// Networks small enough for slow comparisons, with formula weights.

#ifndef GROUPMAMBA_TESTS_MODEL_SMALL_NETWORK_H_
#define GROUPMAMBA_TESTS_MODEL_SMALL_NETWORK_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "model/network.h"
#include "tests/model/small_config.h"

namespace groupmamba {

// Formula weights of seed 1; aborts on an error.
TensorMap FormulaTensors(const ModelConfig& config);
std::unique_ptr<Network> FormulaNetwork(const ModelConfig& config);

// Formula pictures [batch, 3, height, width] of seed 1.
at::Tensor FormulaPictures(int64_t batch, int64_t height, int64_t width);

// |left - right| / |right|, in the Euclidean norm and double precision.
double RelativeDifference(const at::Tensor& left, const at::Tensor& right);

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_MODEL_SMALL_NETWORK_H_
