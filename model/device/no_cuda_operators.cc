// Of builds without CUDA.

#include "model/device/cuda_operators.h"

namespace groupmamba::device {

bool HasCudaOperators() { return false; }

}  // namespace groupmamba::device
