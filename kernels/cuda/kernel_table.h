// The launching functions as a table, so that whoever composes them can be
// tested where there is no GPU: the tests' table runs the kernels' bodies on
// the CPU.

#ifndef GROUPMAMBA_KERNELS_CUDA_KERNEL_TABLE_H_
#define GROUPMAMBA_KERNELS_CUDA_KERNEL_TABLE_H_

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/ss2d_backward.h"
#include "kernels/cuda/ss2d_core.h"

namespace groupmamba::cuda {

struct KernelTable {
  decltype(&LaunchNormalise) normalise;
  decltype(&LaunchLayerNorm) layer_norm;
  decltype(&LaunchAffinity) affinity;
  decltype(&LaunchSs2dCore) ss2d_core;
  decltype(&LaunchGatedNorm) gated_norm;
  decltype(&LaunchDepthwiseGelu) depthwise_gelu;
  decltype(&LaunchTokenMean) token_mean;
  decltype(&LaunchSs2dBackward) ss2d_backward;
};

// Those of the CUDA build.
const KernelTable& CudaKernels();

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_KERNEL_TABLE_H_
