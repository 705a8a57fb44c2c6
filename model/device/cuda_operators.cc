// The operators' registration under CUDA's key, on LibTorch's current stream.
// What it calls is tested by an executor; this file only where a GPU is
// (cuda_operators_test). No GPU has run it yet.

#include "model/device/cuda_operators.h"

#include "ATen/cuda/CUDAContext.h"
#include "c10/cuda/CUDAGuard.h"
#include "c10/cuda/CUDAStream.h"
#include "kernels/cuda/kernel_table.h"
#include "model/device/ss2d_core.h"
#include "torch/library.h"

namespace groupmamba::device {
namespace {

CUstream_st* CurrentStream() { return c10::cuda::getCurrentCUDAStream(); }

Device DeviceOf(const at::Tensor& xz) {
  return {
      .place = xz.device(),
      .type = xz.scalar_type(),
      .kernels = &cuda::CudaKernels(),
      .stream = CurrentStream,
      .multiprocessors =
          at::cuda::getDeviceProperties(xz.get_device())->multiProcessorCount};
}

std::tuple<at::Tensor, at::Tensor> Forward(const at::Tensor& xz,
                                           at::TensorList parameters,
                                           int64_t height, int64_t width,
                                           int64_t direction, double epsilon,
                                           int64_t saved) {
  TORCH_CHECK(xz.is_cuda(), "ss2d_core: xz must be on the parameters' GPU");
  const c10::cuda::CUDAGuard guard(xz.device());
  return CoreForward(DeviceOf(xz), xz, parameters, height, width, direction,
                     epsilon, /*save=*/saved > 0);
}

std::tuple<at::Tensor, std::vector<at::Tensor>> Backward(
    const at::Tensor& gradient, const at::Tensor& xz, const at::Tensor& saved,
    at::TensorList parameters, int64_t height, int64_t width, int64_t direction,
    double epsilon) {
  TORCH_CHECK(xz.is_cuda(), "ss2d_core: xz must be on the parameters' GPU");
  const c10::cuda::CUDAGuard guard(xz.device());
  return CoreBackward(DeviceOf(xz), gradient, xz, saved, parameters, height,
                      width, direction, epsilon);
}

TORCH_LIBRARY_IMPL(groupmamba, CUDA, library) {
  library.impl("_ss2d_core_forward", Forward);
  library.impl("_ss2d_core_backward", Backward);
}

}  // namespace

bool HasCudaOperators() { return true; }

}  // namespace groupmamba::device
