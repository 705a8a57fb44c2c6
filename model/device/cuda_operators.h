// Our LibTorch operators on CUDA tensors.

#ifndef GROUPMAMBA_MODEL_DEVICE_CUDA_OPERATORS_H_
#define GROUPMAMBA_MODEL_DEVICE_CUDA_OPERATORS_H_

namespace groupmamba::device {

// Whether this build has kernels under CUDA's dispatch key.
bool HasCudaOperators();

}  // namespace groupmamba::device

#endif  // GROUPMAMBA_MODEL_DEVICE_CUDA_OPERATORS_H_
