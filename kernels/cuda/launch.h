// What the launching functions of kernels/cuda have in common.

#ifndef GROUPMAMBA_KERNELS_CUDA_LAUNCH_H_
#define GROUPMAMBA_KERNELS_CUDA_LAUNCH_H_

struct CUstream_st;  // a cudaStream_t points to one

namespace groupmamba::cuda {

// How activations lie in memory. Arithmetic is fp32 in both.
enum class Storage { kFp32, kBf16 };

// 0: the kernel was launched; positive: the cudaError_t of the launch (also of
// an earlier fault that stays with the device); negative: refused, nothing was
// launched.
using LaunchError = int;
inline constexpr LaunchError kLaunched = 0;
// A size that the kernels are not made for.
inline constexpr LaunchError kUnsupportedShape = -1;

// A block may use no more shared memory than this, so that GPUs with 100 KB a
// multiprocessor run it.
inline constexpr int kMaxSharedBytes = 99 * 1024;

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_LAUNCH_H_
