// The table of kernels (kernels/cuda/kernel_table.h) run by the executor, on
// memory of the processor: with everything that it checks, and every output
// written. A fault is a failure of the test that runs, and of the launch.
#ifndef GROUPMAMBA_TESTS_KERNELS_CUDA_EXECUTOR_KERNELS_H_
#define GROUPMAMBA_TESTS_KERNELS_CUDA_EXECUTOR_KERNELS_H_

#include "kernels/cuda/kernel_table.h"

namespace groupmamba::testing {

const cuda::KernelTable& ExecutorKernels();

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_CUDA_EXECUTOR_KERNELS_H_
