// Prints a line a CUDA kernel: its name, the most threads that a block of it
// may have, and the threads and bytes of shared memory a block of its largest
// launch at pictures of 224 pixels a side. Read by kernels/cuda/budgets.sh.

#include <cstdio>
#include <initializer_list>

#include "kernels/cuda/elementwise_body.h"
#include "kernels/cuda/pooling_body.h"
#include "kernels/cuda/ss2d_backward.h"
#include "kernels/cuda/ss2d_backward_geometry.h"
#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_core_geometry.h"
#include "kernels/cuda/ss2d_widths.h"

namespace groupmamba::cuda {
namespace {

template <class T>
constexpr bool kIsFp32 = sizeof(T) == 4;

template <class T>
const char* NameOf() {
  return kIsFp32<T> ? "float" : "Bf16";
}

template <class T>
constexpr Storage StorageOf() {
  return kIsFp32<T> ? Storage::kFp32 : Storage::kBf16;
}

// The largest grid that a group of this width meets.
int SideOf(int width) {
  return width <= 24 ? 56 : width <= 48 ? 28 : width <= 112 ? 14 : 7;
}

template <class T>
void PrintCores(const char* name, decltype(&PlanSs2d) plan_of) {
  for (int width : kPaddedWidths) {
    const int side = SideOf(width);
    const Ss2dPlan plan = plan_of({1, side, side, width, (width + 15) / 16, {}},
                                  StorageOf<T>(), 0, 1);
    std::printf("%s<%s, %d> %d %d %d\n", name, NameOf<T>(), width, kMaxThreads,
                plan.threads, plan.shared_bytes);
  }
}

template <class T>
void PrintElementwise() {
  const char* type = NameOf<T>();
  std::printf("Normalise<%s> %d %d 0\n", type, kNormaliseThreads,
              kNormaliseThreads);
  for (int pieces : {2, 4}) {
    for (const char* name : {"LayerNorm", "GatedNorm"}) {
      std::printf("%s<%s, %d> %d %d 0\n", name, type, pieces, kRowThreads,
                  kRowThreads);
    }
  }
  const DepthwisePlan plan = PlanDepthwise({1, 56, 56, 512}, StorageOf<T>());
  std::printf("DepthwiseGelu<%s> %d %d 0\n", type, kMaxDepthwiseThreads,
              plan.grid.threads);
  std::printf("TokenMean<%s> %d %d %d\n", type, kMeanThreads, kMeanThreads,
              TokenMeanSizes<T>::kSharedBytes);
}

void PrintAffinity() {
  AffinityArguments arguments;
  arguments.batch = arguments.parts = arguments.tokens = 1;
  arguments.channels = 512;
  arguments.hidden = 32;
  const AffinityPlan plan = PlanAffinity(arguments);
  std::printf("Affinity %d %d %d\n", kAffinityThreads, plan.grid.threads,
              plan.shared_bytes);
}

}  // namespace
}  // namespace groupmamba::cuda

int main() {
  using groupmamba::cuda::Bf16;
  groupmamba::cuda::PrintCores<Bf16>("Ss2dCore", groupmamba::cuda::PlanSs2d);
  groupmamba::cuda::PrintCores<float>("Ss2dCore", groupmamba::cuda::PlanSs2d);
  groupmamba::cuda::PrintCores<Bf16>("Ss2dBackward",
                                     groupmamba::cuda::PlanSs2dBackward);
  groupmamba::cuda::PrintCores<float>("Ss2dBackward",
                                      groupmamba::cuda::PlanSs2dBackward);
  std::printf("Ss2dReduce %d %d %d\n", groupmamba::cuda::kReduceThreads,
              groupmamba::cuda::kReduceThreads,
              groupmamba::cuda::kReduceSharedBytes);
  groupmamba::cuda::PrintElementwise<Bf16>();
  groupmamba::cuda::PrintElementwise<float>();
  groupmamba::cuda::PrintAffinity();
}
