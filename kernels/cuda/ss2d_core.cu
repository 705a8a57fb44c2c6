// Launches the SS2D core.

#include <cuda_runtime.h>

#include "kernels/cuda/device_context.cuh"
#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_core_body.h"

namespace groupmamba::cuda {
namespace {

template <class T, int kPadded>
__global__ void __launch_bounds__(kMaxThreads)
    Ss2dCore(const __grid_constant__ Ss2dArguments arguments) {
  Ss2dCoreBody<T, kPadded>(DeviceContext(), arguments);
}

using Kernel = void (*)(Ss2dArguments);

template <class T>
Kernel KernelFor(int padded) {
  switch (padded) {
    case 8:
      return Ss2dCore<T, 8>;
    case 16:
      return Ss2dCore<T, 16>;
    case 24:
      return Ss2dCore<T, 24>;
    case 32:
      return Ss2dCore<T, 32>;
    case 48:
      return Ss2dCore<T, 48>;
    case 88:
      return Ss2dCore<T, 88>;
    case 112:
      return Ss2dCore<T, 112>;
    case 128:
      return Ss2dCore<T, 128>;
    default:
      return nullptr;
  }
}

}  // namespace

LaunchError LaunchSs2dCore(const Ss2dShape& shape, const Ss2dPlan& plan,
                           Storage storage, float epsilon, const void* xz,
                           const float* parameters, void* scratch, void* out,
                           cudaStream_t stream) {
  const int padded = PaddedGroupWidth(shape.group_width);
  const Kernel kernel = storage == Storage::kFp32 ? KernelFor<float>(padded)
                                                  : KernelFor<Bf16>(padded);
  if (kernel == nullptr || plan.segments < 1) return kUnsupportedShape;
  const Ss2dArguments arguments = {shape,      plan.segments, epsilon, xz,
                                   parameters, scratch,       out};
  // More than 48 KB has to be asked for, on each device.
  const cudaError_t allowed = cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, plan.shared_bytes);
  if (allowed != cudaSuccess) return allowed;
  kernel<<<plan.blocks, plan.threads, plan.shared_bytes, stream>>>(arguments);
  return cudaGetLastError();
}

}  // namespace groupmamba::cuda
