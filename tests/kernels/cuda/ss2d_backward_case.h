// Cases of the SS2D core's backward pass, run by the executor and by the
// oracle.
#ifndef GROUPMAMBA_TESTS_KERNELS_CUDA_SS2D_BACKWARD_CASE_H_
#define GROUPMAMBA_TESTS_KERNELS_CUDA_SS2D_BACKWARD_CASE_H_

#include <map>
#include <string>
#include <vector>

#include "kernels/cuda/ss2d_backward.h"
#include "kernels/cuda/ss2d_backward_geometry.h"
#include "tests/kernels/cuda/ss2d_core_case.h"
#include "tests/testing/cuda_executor.h"

namespace groupmamba::testing {

template <class T>
struct Ss2dBackwardCase {
  Ss2dCase<T> forward;
  std::vector<T> d_out;       // [group][batch][token][padded]
  std::vector<float> states;  // as the forward pass saved them
};

// MakeSs2dCase's, run forwards by the executor.
template <class T>
Ss2dBackwardCase<T> MakeSs2dBackwardCase(int batch, int height, int width,
                                         int group_width, int seed);

template <class T>
struct Ss2dBackwardRun {
  std::string failure;  // empty: it ran
  std::vector<T> d_xz;
  std::vector<float> partials, d_parameters;
  Traffic xz, d_out, states, parameters, scratch, written;
  cuda::Ss2dPlan plan;
};

// Both launches. `shared_bytes` 0: as planned.
template <class T>
Ss2dBackwardRun<T> RunSs2dBackward(const Ss2dBackwardCase<T>& c, int segments,
                                   const ExecutorOptions& options,
                                   int shared_bytes = 0);

// The kernel's body for groups of `padded` channels.
template <class T>
void RunSs2dBackwardBody(const ExecutorContext& ctx, int padded,
                         const cuda::Ss2dBackwardArguments& arguments);

// What the oracle says, by name: "dxz" as in Ss2dBackwardRun, with zeros where
// padded, and the four groups' gradients of each parameter one after the other,
// by the state dict's names.
using Gradients = std::map<std::string, std::vector<double>>;

template <class T>
Gradients WantedGradients(const Ss2dBackwardCase<T>& c);

template <class T>
Gradients GradientsOf(const Ss2dBackwardCase<T>& c,
                      const Ss2dBackwardRun<T>& run);

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_CUDA_SS2D_BACKWARD_CASE_H_
