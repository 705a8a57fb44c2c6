// Random cases of the SS2D core, run by the executor and by the oracle.
#ifndef GROUPMAMBA_TESTS_KERNELS_CUDA_SS2D_CORE_CASE_H_
#define GROUPMAMBA_TESTS_KERNELS_CUDA_SS2D_CORE_CASE_H_

#include <string>
#include <vector>

#include "kernels/cuda/ss2d_core_segment.h"
#include "tests/kernels/cuda/device_values.h"
#include "tests/reference/ss2d_core_oracle.h"
#include "tests/testing/cuda_executor.h"

namespace groupmamba::testing {

inline constexpr float kOutNormEpsilon = 1e-5f;

// Four groups' parameters and an input, of the sizes met in a network.
template <class T>
struct Ss2dCase {
  cuda::Ss2dShape shape;
  std::vector<reference::Ss2dGroup> groups;  // four
  std::vector<float> parameters;             // packed
  std::vector<T> xz;                         // [group][batch][token][2 padded]
};

// The released form's directions in their order, in a batch of `batch`
// pictures.
template <class T>
Ss2dCase<T> MakeSs2dCase(int batch, int height, int width, int group_width,
                         int seed);

template <class T>
struct Ss2dRun {
  std::string failure;  // empty: it ran
  std::vector<T> out;   // [group][batch][token][padded]
  Traffic xz, parameters, written;
  cuda::Ss2dPlan plan;
};

// `shared_bytes` 0: as planned. `states` null: not saved.
template <class T>
Ss2dRun<T> RunSs2dCore(const Ss2dCase<T>& c, int segments,
                       const ExecutorOptions& options, int shared_bytes = 0,
                       float* states = nullptr);

// The kernel's body for groups of `padded` channels.
template <class T>
void RunSs2dBody(const ExecutorContext& ctx, int padded,
                 const cuda::Ss2dArguments& arguments);

// What the oracle says, with zeros where padded: comparable with Ss2dRun::out.
template <class T>
std::vector<double> WantedOutput(const Ss2dCase<T>& c);

// Relative L2 distance of the run from the oracle.
template <class T>
double ErrorOf(const Ss2dRun<T>& run, const std::vector<double>& want);

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_CUDA_SS2D_CORE_CASE_H_
