// Launches the SS2D core's backward pass.

#include <cuda_runtime.h>

#include "kernels/cuda/device_context.cuh"
#include "kernels/cuda/ss2d_backward.h"
#include "kernels/cuda/ss2d_backward_body.h"
#include "kernels/cuda/ss2d_launch.cuh"

namespace groupmamba::cuda {
namespace {

template <class T, int kPadded>
__global__ void __launch_bounds__(kMaxThreads)
    Ss2dBackward(const __grid_constant__ Ss2dBackwardArguments arguments) {
  Ss2dBackwardBody<T, kPadded>(DeviceContext(), arguments);
}

__global__ void __launch_bounds__(kReduceThreads)
    Ss2dReduce(const __grid_constant__ Ss2dReduceArguments arguments) {
  Ss2dReduceBody(DeviceContext(), arguments);
}

using Kernel = void (*)(Ss2dBackwardArguments);

template <class T>
struct Kernels {
  template <int kPadded>
  Kernel Of() const {
    return Ss2dBackward<T, kPadded>;
  }
  Kernel None() const { return nullptr; }
};

}  // namespace

LaunchError LaunchSs2dBackward(const Ss2dShape& shape, const Ss2dPlan& plan,
                               Storage storage, float epsilon,
                               const Ss2dBackwardBuffers& buffers,
                               cudaStream_t stream) {
  const int padded = PaddedGroupWidth(shape.group_width);
  const Kernel kernel = storage == Storage::kFp32
                            ? OfPaddedWidth(padded, Kernels<float>())
                            : OfPaddedWidth(padded, Kernels<Bf16>());
  const LaunchError launched =
      LaunchSs2d(kernel, plan,
                 Ss2dBackwardArguments{
                     {shape, plan.segments, epsilon, buffers.xz,
                      buffers.parameters, buffers.scratch, buffers.states},
                     buffers.d_out,
                     buffers.d_xz,
                     buffers.partials},
                 stream);
  if (launched != kLaunched) return launched;
  const int floats = GroupFloats(padded);
  const Ss2dReduceArguments reduce = {shape.batch, floats, buffers.partials,
                                      buffers.d_parameters};
  Ss2dReduce<<<ReduceBlocks(floats), kReduceThreads, kReduceSharedBytes,
               stream>>>(reduce);
  return cudaGetLastError();
}

}  // namespace groupmamba::cuda
