// Launches the element-wise kernels.

#include <cuda_runtime.h>

#include "kernels/cuda/device_context.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/elementwise_body.h"
#include "kernels/cuda/pooling_body.h"

namespace groupmamba::cuda {
namespace {

// Blocks of a norm that a multiprocessor should hold: without, ptxas 13.0
// spills a register for sm_89 to fit more of them.
constexpr int kRowBlocks = 3;

template <class T>
__global__ void __launch_bounds__(kNormaliseThreads)
    Normalise(const __grid_constant__ NormaliseArguments arguments) {
  NormaliseBody<T>(DeviceContext(), arguments);
}

template <class T, int kPieces>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    LayerNorm(const __grid_constant__ LayerNormArguments arguments) {
  LayerNormBody<T, kPieces>(DeviceContext(), arguments);
}

template <class T, int kPieces>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    GatedNorm(const __grid_constant__ GatedNormArguments arguments) {
  GatedNormBody<T, kPieces>(DeviceContext(), arguments,
                            static_cast<int>(gridDim.x));
}

template <class T>
__global__ void __launch_bounds__(kMaxDepthwiseThreads)
    DepthwiseGelu(const __grid_constant__ DepthwiseGeluArguments arguments,
                  const __grid_constant__ DepthwisePlan plan) {
  DepthwiseGeluBody<T>(DeviceContext(), arguments, plan);
}

template <class T>
__global__ void __launch_bounds__(kMeanThreads)
    TokenMean(const __grid_constant__ TokenMeanArguments arguments) {
  TokenMeanBody<T>(DeviceContext(), arguments);
}

__global__ void __launch_bounds__(kAffinityThreads)
    Affinity(const __grid_constant__ AffinityArguments arguments) {
  AffinityBody(DeviceContext(), arguments);
}

constexpr int kSmallRow = kWarp * kRowOctet * 2;  // of two pieces a lane

}  // namespace

LaunchError LaunchNormalise(const NormaliseArguments& arguments,
                            Storage storage, cudaStream_t stream) {
  const Grid grid = PlanNormalise(arguments);
  if (grid.blocks == 0) return kUnsupportedShape;
  const auto kernel =
      storage == Storage::kFp32 ? Normalise<float> : Normalise<Bf16>;
  kernel<<<grid.blocks, grid.threads, 0, stream>>>(arguments);
  return cudaGetLastError();
}

LaunchError LaunchLayerNorm(const LayerNormArguments& arguments,
                            Storage storage, cudaStream_t stream) {
  const Grid grid = PlanLayerNorm(arguments);
  if (grid.blocks == 0) return kUnsupportedShape;
  const bool small = arguments.layout.row() <= kSmallRow;
  const auto kernel = storage == Storage::kFp32
                          ? (small ? LayerNorm<float, 2> : LayerNorm<float, 4>)
                          : (small ? LayerNorm<Bf16, 2> : LayerNorm<Bf16, 4>);
  kernel<<<grid.blocks, grid.threads, 0, stream>>>(arguments);
  return cudaGetLastError();
}

LaunchError LaunchGatedNorm(const GatedNormArguments& arguments,
                            Storage storage, cudaStream_t stream) {
  const Grid grid =
      PlanRows(arguments.batch * arguments.tokens, arguments.layout);
  if (grid.blocks == 0) return kUnsupportedShape;
  const bool small = arguments.layout.row() <= kSmallRow;
  const auto kernel = storage == Storage::kFp32
                          ? (small ? GatedNorm<float, 2> : GatedNorm<float, 4>)
                          : (small ? GatedNorm<Bf16, 2> : GatedNorm<Bf16, 4>);
  kernel<<<grid.blocks, grid.threads, 0, stream>>>(arguments);
  return cudaGetLastError();
}

LaunchError LaunchDepthwiseGelu(const DepthwiseGeluArguments& arguments,
                                const DepthwisePlan& plan, Storage storage,
                                cudaStream_t stream) {
  if (plan.grid.blocks == 0) return kUnsupportedShape;
  const auto kernel =
      storage == Storage::kFp32 ? DepthwiseGelu<float> : DepthwiseGelu<Bf16>;
  kernel<<<plan.grid.blocks, plan.grid.threads, 0, stream>>>(arguments, plan);
  return cudaGetLastError();
}

LaunchError LaunchTokenMean(const TokenMeanArguments& arguments,
                            Storage storage, cudaStream_t stream) {
  const Grid grid = PlanTokenMean(arguments, storage);
  if (grid.blocks == 0) return kUnsupportedShape;
  const bool fp32 = storage == Storage::kFp32;
  const auto kernel = fp32 ? TokenMean<float> : TokenMean<Bf16>;
  const int shared_bytes = fp32 ? TokenMeanSizes<float>::kSharedBytes
                                : TokenMeanSizes<Bf16>::kSharedBytes;
  kernel<<<grid.blocks, grid.threads, shared_bytes, stream>>>(arguments);
  return cudaGetLastError();
}

LaunchError LaunchAffinity(const AffinityArguments& arguments,
                           cudaStream_t stream) {
  const AffinityPlan plan = PlanAffinity(arguments);
  if (plan.grid.blocks == 0) return kUnsupportedShape;
  Affinity<<<plan.grid.blocks, plan.grid.threads, plan.shared_bytes, stream>>>(
      arguments);
  return cudaGetLastError();
}

}  // namespace groupmamba::cuda
