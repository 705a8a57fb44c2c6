// What the launches of the SS2D core's two passes share.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_LAUNCH_CUH_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_LAUNCH_CUH_

#include <cuda_runtime.h>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_widths.h"

namespace groupmamba::cuda {

template <class Arguments>
LaunchError LaunchSs2d(void (*kernel)(Arguments), const Ss2dPlan& plan,
                       const Arguments& arguments, cudaStream_t stream) {
  if (kernel == nullptr || plan.segments < 1) return kUnsupportedShape;
  // More than 48 KB has to be asked for, on each device.
  const cudaError_t allowed = cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, plan.shared_bytes);
  if (allowed != cudaSuccess) return allowed;
  kernel<<<plan.blocks, plan.threads, plan.shared_bytes, stream>>>(arguments);
  return cudaGetLastError();
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_LAUNCH_CUH_
