// Networks small enough for slow comparisons, with formula weights.

#ifndef GROUPMAMBA_TESTS_MODEL_SMALL_NETWORK_H_
#define GROUPMAMBA_TESTS_MODEL_SMALL_NETWORK_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "model/config.h"
#include "model/network.h"

namespace groupmamba {

// Every stage differs in width, depth and ratio; groups of 4, 6, 8 and 11
// channels, so that vectors are not always full. Pictures of 64 pixels, 7
// classes.
ModelConfig SmallConfig(BlockForm form);

// Formula weights of seed 1; aborts on an error.
TensorMap FormulaTensors(const ModelConfig& config);
std::unique_ptr<Network> FormulaNetwork(const ModelConfig& config);

// Formula pictures [batch, 3, height, width] of seed 1.
at::Tensor FormulaPictures(int64_t batch, int64_t height, int64_t width);

// |left - right| / |right|, in the Euclidean norm and double precision.
double RelativeDifference(const at::Tensor& left, const at::Tensor& right);

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_MODEL_SMALL_NETWORK_H_
