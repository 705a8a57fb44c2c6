#include "tests/kernels/cuda/executor_kernels.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "kernels/cuda/elementwise_body.h"
#include "kernels/cuda/pooling_body.h"
#include "kernels/cuda/ss2d_backward_sums.h"
#include "tests/kernels/cuda/ss2d_backward_case.h"
#include "tests/kernels/cuda/ss2d_core_case.h"
#include "tests/testing/cuda_executor.h"

namespace groupmamba::testing {
namespace {

using cuda::Bf16;
using cuda::LaunchError;
using cuda::Storage;

constexpr LaunchError kFault = 700;  // CUDA's illegal address

size_t SizeOf(Storage storage) { return storage == Storage::kFp32 ? 4 : 2; }

thread_local LaunchLog* launch_log = nullptr;

// One launch: what it may touch, and its end.
class OneLaunch {
 public:
  explicit OneLaunch(int64_t tokens) : tokens_(tokens) {}

  OneLaunch& Reads(const void* data, size_t bytes) {
    if (data == nullptr) return *this;
    executor_.Input(data, bytes);
    bytes_ += static_cast<int64_t>(bytes);
    return *this;
  }
  OneLaunch& Writes(const void* data, size_t bytes) {
    if (data == nullptr) return *this;
    outputs_.push_back(executor_.Output(data, bytes));
    bytes_ += static_cast<int64_t>(bytes);
    return *this;
  }
  OneLaunch& Uses(const void* scratch, size_t bytes) {
    executor_.Scratch(scratch, bytes);
    return *this;
  }
  LaunchError Run(const char* kernel, cuda::Grid grid, int shared_bytes,
                  const std::function<void(const ExecutorContext&)>& body) {
    if (grid.blocks == 0) return cuda::kUnsupportedShape;
    if (launch_log != nullptr) {
      launch_log->records.push_back({kernel, tokens_, bytes_});
      return cuda::kLaunched;
    }
    const std::string failure =
        executor_.Launch({grid.blocks, grid.threads, shared_bytes}, {}, body);
    EXPECT_EQ(failure, "") << kernel;
    bool complete = failure.empty();
    for (int output : outputs_) complete &= executor_.WroteAllOf(output);
    EXPECT_TRUE(complete) << kernel << " left some of its output out";
    return complete ? cuda::kLaunched : kFault;
  }

 private:
  const int64_t tokens_;
  int64_t bytes_ = 0;
  CudaExecutor executor_;
  std::vector<int> outputs_;
};

LaunchError Normalise(const cuda::NormaliseArguments& a, Storage storage,
                      CUstream_st*) {
  return OneLaunch(a.count / 3)
      .Reads(a.from, a.count)
      .Writes(a.out, a.count * SizeOf(storage))
      .Run("Normalise", cuda::PlanNormalise(a), 0,
           [&](const ExecutorContext& ctx) {
             storage == Storage::kFp32 ? cuda::NormaliseBody<float>(ctx, a)
                                       : cuda::NormaliseBody<Bf16>(ctx, a);
           });
}

LaunchError LayerNorm(const cuda::LayerNormArguments& a, Storage storage,
                      CUstream_st*) {
  const size_t row = a.layout.row();
  const size_t values = row * a.batch * a.tokens;
  return OneLaunch(a.tokens)
      .Reads(a.x, values * SizeOf(storage))
      .Reads(a.shift, row * 4)
      .Reads(a.weight, row * 4)
      .Reads(a.bias, row * 4)
      .Writes(a.out, values * SizeOf(storage))
      .Writes(a.sums, row * 4 * a.batch * cuda::LayerNormParts(a.tokens))
      .Run(a.sums == nullptr ? "LayerNorm" : "LayerNorm with sums",
           cuda::PlanLayerNorm(a), 0, [&](const ExecutorContext& ctx) {
             storage == Storage::kFp32 ? cuda::LayerNormBody<float, 4>(ctx, a)
                                       : cuda::LayerNormBody<Bf16, 4>(ctx, a);
           });
}

LaunchError Affinity(const cuda::AffinityArguments& a, CUstream_st*) {
  const cuda::AffinityPlan plan = cuda::PlanAffinity(a);
  const size_t row = size_t{4} * a.channels;
  return OneLaunch(a.tokens)
      .Reads(a.sums, row * a.parts * a.batch)
      .Reads(a.weight1, row * a.hidden)
      .Reads(a.bias1, size_t{4} * a.hidden)
      .Reads(a.weight2, row * a.hidden)
      .Reads(a.bias2, row)
      .Writes(a.out, row * a.batch)
      .Run("Affinity", plan.grid, plan.shared_bytes,
           [&](const ExecutorContext& ctx) { cuda::AffinityBody(ctx, a); });
}

LaunchError Ss2dCore(const cuda::Ss2dShape& shape, const cuda::Ss2dPlan& plan,
                     Storage storage, float epsilon, const void* xz,
                     const float* parameters, void* scratch, void* out,
                     float* states, CUstream_st*) {
  const int padded = cuda::PaddedGroupWidth(shape.group_width);
  const size_t bytes = size_t{cuda::kGroups} * shape.batch * shape.height *
                       shape.width * padded * SizeOf(storage);
  const cuda::Ss2dArguments arguments = {
      {shape, plan.segments, epsilon, xz, parameters, scratch, states}, out};
  return OneLaunch(int64_t{shape.height} * shape.width)
      .Reads(xz, 2 * bytes)
      .Reads(parameters, 4 * cuda::PackedSs2dFloats(shape))
      .Uses(scratch, cuda::Ss2dScratchBytes(shape, plan))
      .Writes(out, bytes)
      .Uses(states, 4 * cuda::Ss2dStateFloats(shape))
      .Run("Ss2dCore", {plan.blocks, plan.threads}, plan.shared_bytes,
           [&](const ExecutorContext& ctx) {
             storage == Storage::kFp32
                 ? RunSs2dBody<float>(ctx, padded, arguments)
                 : RunSs2dBody<Bf16>(ctx, padded, arguments);
           });
}

LaunchError GatedNorm(const cuda::GatedNormArguments& a, Storage storage,
                      CUstream_st*) {
  const size_t row = a.layout.row();
  const size_t bytes = row * a.batch * a.tokens * SizeOf(storage);
  const cuda::Grid grid = cuda::PlanRows(a.batch * a.tokens, a.layout);
  return OneLaunch(a.tokens)
      .Reads(a.y, bytes)
      .Reads(a.x, bytes)
      .Reads(a.scale, row * 4 * a.batch)
      .Reads(a.weight, row * 4)
      .Reads(a.bias, row * 4)
      .Writes(a.out, bytes)
      .Run("GatedNorm", grid, 0, [&](const ExecutorContext& ctx) {
        storage == Storage::kFp32
            ? cuda::GatedNormBody<float, 4>(ctx, a, grid.blocks)
            : cuda::GatedNormBody<Bf16, 4>(ctx, a, grid.blocks);
      });
}

LaunchError DepthwiseGelu(const cuda::DepthwiseGeluArguments& a,
                          const cuda::DepthwisePlan& plan, Storage storage,
                          CUstream_st*) {
  const size_t bytes =
      size_t{1} * a.batch * a.height * a.width * a.channels * SizeOf(storage);
  return OneLaunch(int64_t{a.height} * a.width)
      .Reads(a.x, bytes)
      .Reads(a.weight, size_t{36} * a.channels)
      .Reads(a.bias, size_t{4} * a.channels)
      .Writes(a.out, bytes)
      .Run("DepthwiseGelu", plan.grid, 0, [&](const ExecutorContext& ctx) {
        storage == Storage::kFp32 ? cuda::DepthwiseGeluBody<float>(ctx, a, plan)
                                  : cuda::DepthwiseGeluBody<Bf16>(ctx, a, plan);
      });
}

LaunchError TokenMean(const cuda::TokenMeanArguments& a, Storage storage,
                      CUstream_st*) {
  const bool fp32 = storage == Storage::kFp32;
  return OneLaunch(a.tokens)
      .Reads(a.x, size_t{1} * a.batch * a.tokens * a.channels * SizeOf(storage))
      .Writes(a.out, size_t{4} * a.batch * a.channels)
      .Run("TokenMean", cuda::PlanTokenMean(a, storage),
           fp32 ? cuda::TokenMeanSizes<float>::kSharedBytes
                : cuda::TokenMeanSizes<Bf16>::kSharedBytes,
           [&](const ExecutorContext& ctx) {
             fp32 ? cuda::TokenMeanBody<float>(ctx, a)
                  : cuda::TokenMeanBody<Bf16>(ctx, a);
           });
}

LaunchError Ss2dBackward(const cuda::Ss2dShape& shape,
                         const cuda::Ss2dPlan& plan, Storage storage,
                         float epsilon, const cuda::Ss2dBackwardBuffers& b,
                         CUstream_st*) {
  const int padded = cuda::PaddedGroupWidth(shape.group_width);
  const int64_t tokens = int64_t{shape.height} * shape.width;
  const size_t bytes =
      size_t{cuda::kGroups} * shape.batch * tokens * padded * SizeOf(storage);
  const size_t partials = 4 * cuda::Ss2dPartialFloats(shape);
  const size_t parameters = 4 * cuda::PackedSs2dFloats(shape);
  const cuda::Ss2dBackwardArguments arguments = {
      {shape, plan.segments, epsilon, b.xz, b.parameters, b.scratch, b.states},
      b.d_out,
      b.d_xz,
      b.partials};
  const LaunchError launched =
      OneLaunch(tokens)
          .Reads(b.xz, 2 * bytes)
          .Reads(b.parameters, parameters)
          .Reads(b.states, 4 * cuda::Ss2dStateFloats(shape))
          .Reads(b.d_out, bytes)
          .Uses(b.scratch, cuda::Ss2dBackwardScratchBytes(shape, storage, plan))
          .Writes(b.d_xz, 2 * bytes)
          .Writes(b.partials, partials)
          .Run("Ss2dBackward", {plan.blocks, plan.threads}, plan.shared_bytes,
               [&](const ExecutorContext& ctx) {
                 storage == Storage::kFp32
                     ? RunSs2dBackwardBody<float>(ctx, padded, arguments)
                     : RunSs2dBackwardBody<Bf16>(ctx, padded, arguments);
               });
  if (launched != cuda::kLaunched) return launched;
  const int floats = cuda::GroupFloats(padded);
  const cuda::Ss2dReduceArguments reduce = {shape.batch, floats, b.partials,
                                            b.d_parameters};
  return OneLaunch(tokens)
      .Reads(b.partials, partials)
      .Writes(b.d_parameters, parameters)
      .Run("Ss2dReduce", {cuda::ReduceBlocks(floats), cuda::kReduceThreads},
           cuda::kReduceSharedBytes, [&](const ExecutorContext& ctx) {
             cuda::Ss2dReduceBody(ctx, reduce);
           });
}

}  // namespace

LaunchLog::LaunchLog() { launch_log = this; }
LaunchLog::~LaunchLog() { launch_log = nullptr; }

const cuda::KernelTable& ExecutorKernels() {
  static constexpr cuda::KernelTable kTable = {
      Normalise, LayerNorm,     Affinity,  Ss2dCore,
      GatedNorm, DepthwiseGelu, TokenMean, Ss2dBackward};
  return kTable;
}

}  // namespace groupmamba::testing
