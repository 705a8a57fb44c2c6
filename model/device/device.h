// A device that our kernels run on: a GPU, or the processor with a table that
// runs the kernels' bodies there, as the tests have it.

#ifndef GROUPMAMBA_MODEL_DEVICE_DEVICE_H_
#define GROUPMAMBA_MODEL_DEVICE_DEVICE_H_

#include "ATen/core/Tensor.h"
#include "c10/util/Exception.h"
#include "kernels/cuda/kernel_table.h"

namespace groupmamba::device {

struct Device {
  at::Device place = at::kCPU;
  // Of activations and of the products' operands: kFloat or kBFloat16.
  at::ScalarType type = at::kBFloat16;
  const cuda::KernelTable* kernels = nullptr;
  // LibTorch's current stream.
  CUstream_st* (*stream)() = nullptr;
  // Blocks that keep the device busy.
  int multiprocessors = 1;

  cuda::Storage storage() const {
    return type == at::kFloat ? cuda::Storage::kFp32 : cuda::Storage::kBf16;
  }
  // A parameter of the kernels, in fp32, and one of LibTorch's operators.
  at::Tensor Parameter(const at::Tensor& x) const {
    return x.to(place, at::kFloat).contiguous();
  }
  at::Tensor Operand(const at::Tensor& x) const { return x.to(place, type); }
};

// Throws where the launch was refused or failed.
inline void CheckLaunch(cuda::LaunchError error, const char* kernel) {
  TORCH_CHECK(error >= 0, kernel, " is not made for this shape");
  TORCH_CHECK(error == cuda::kLaunched, kernel, " failed with CUDA's error ",
              error);
}

}  // namespace groupmamba::device

#endif  // GROUPMAMBA_MODEL_DEVICE_DEVICE_H_
