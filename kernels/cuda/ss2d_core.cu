// Launches the SS2D core.

#include <cuda_runtime.h>

#include "kernels/cuda/device_context.cuh"
#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_core_body.h"
#include "kernels/cuda/ss2d_launch.cuh"

namespace groupmamba::cuda {
namespace {

template <class T, int kPadded>
__global__ void __launch_bounds__(kMaxThreads)
    Ss2dCore(const __grid_constant__ Ss2dArguments arguments) {
  Ss2dCoreBody<T, kPadded>(DeviceContext(), arguments);
}

using Kernel = void (*)(Ss2dArguments);

template <class T>
struct Kernels {
  template <int kPadded>
  Kernel Of() const {
    return Ss2dCore<T, kPadded>;
  }
  Kernel None() const { return nullptr; }
};

}  // namespace

LaunchError LaunchSs2dCore(const Ss2dShape& shape, const Ss2dPlan& plan,
                           Storage storage, float epsilon, const void* xz,
                           const float* parameters, void* scratch, void* out,
                           float* states, cudaStream_t stream) {
  const int padded = PaddedGroupWidth(shape.group_width);
  const Kernel kernel = storage == Storage::kFp32
                            ? OfPaddedWidth(padded, Kernels<float>())
                            : OfPaddedWidth(padded, Kernels<Bf16>());
  return LaunchSs2d(kernel, plan,
                    Ss2dArguments{{shape, plan.segments, epsilon, xz,
                                   parameters, scratch, states},
                                  out},
                    stream);
}

}  // namespace groupmamba::cuda
