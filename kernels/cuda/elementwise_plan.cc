// How the element-wise kernels' launches are cut. No CUDA in it.

#include <algorithm>
#include <limits>

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/elementwise_body.h"
#include "kernels/cuda/pooling_body.h"

namespace groupmamba::cuda {
namespace {

constexpr int64_t kMaxBlocks = std::numeric_limits<int>::max();

int64_t CeilDivide64(int64_t a, int64_t b) { return (a + b - 1) / b; }

Grid GridOf(int64_t blocks, int threads) {
  if (blocks < 1 || blocks > kMaxBlocks) return {};
  return {static_cast<int>(blocks), threads};
}

constexpr int kMaxRow = 1024;

bool IsSupported(const ChannelLayout& layout) {
  return layout.groups >= 1 && layout.width >= 1 &&
         layout.padded >= layout.width && layout.padded % kRowOctet == 0 &&
         int64_t{layout.groups} * layout.padded <= kMaxRow;
}

}  // namespace

Grid PlanNormalise(const NormaliseArguments& arguments) {
  if (arguments.count < 1 || arguments.count % 3 != 0) return {};
  return GridOf(CeilDivide64(arguments.count, kNormaliseThreads * kPixelValues),
                kNormaliseThreads);
}

int LayerNormParts(int tokens) { return RowParts(tokens).count; }

Grid PlanLayerNorm(const LayerNormArguments& arguments) {
  if (arguments.batch < 1 || arguments.tokens < 1 ||
      !IsSupported(arguments.layout)) {
    return {};
  }
  return GridOf(
      CeilDivide64(int64_t{arguments.batch} * LayerNormParts(arguments.tokens),
                   kRowWarps),
      kRowThreads);
}

Grid PlanRows(int64_t rows, const ChannelLayout& layout, int min_blocks) {
  // A warp that goes on to further rows loads the parameters once.
  constexpr int kMaxRowsPerWarp = 8;
  if (rows < 1 || !IsSupported(layout)) return {};
  const int64_t per_warp =
      std::clamp<int64_t>(rows / (int64_t{kRowWarps} * std::max(min_blocks, 1)),
                          1, kMaxRowsPerWarp);
  return GridOf(CeilDivide64(rows, kRowWarps * per_warp), kRowThreads);
}

DepthwisePlan PlanDepthwise(const DepthwiseGeluArguments& arguments,
                            Storage storage, int min_blocks) {
  // Tall tiles: the rows above and below a tile are read by two blocks.
  constexpr int kMaxRows = 28;
  constexpr int kMaxColumns = 16;
  if (arguments.batch < 1 || arguments.height < 1 || arguments.width < 1 ||
      arguments.channels < 1 || arguments.channels % 8 != 0) {
    return {};
  }
  const int vector = storage == Storage::kFp32 ? 4 : 8;
  const int vectors = arguments.channels / vector;
  DepthwisePlan plan;
  plan.columns =
      CeilDivide(arguments.width, CeilDivide(arguments.width, kMaxColumns));
  plan.vectors = std::min(vectors, kMaxDepthwiseThreads / plan.columns);
  // Whole sectors of 32 bytes, where there are several.
  if (plan.vectors > 1) plan.vectors -= plan.vectors % 2;
  const auto blocks = [&](int rows) {
    return int64_t{arguments.batch} * CeilDivide(vectors, plan.vectors) *
           CeilDivide(arguments.width, plan.columns) *
           CeilDivide(arguments.height, rows);
  };
  int strips = CeilDivide(arguments.height, kMaxRows);
  while (strips < arguments.height &&
         blocks(CeilDivide(arguments.height, strips)) < min_blocks) {
    ++strips;
  }
  plan.rows = CeilDivide(arguments.height, strips);
  plan.grid = GridOf(blocks(plan.rows),
                     CeilDivide(plan.columns * plan.vectors, kWarp) * kWarp);
  return plan;
}

Grid PlanTokenMean(const TokenMeanArguments& arguments, Storage storage) {
  if (arguments.batch < 1 || arguments.tokens < 1 || arguments.channels < 1 ||
      arguments.channels % 8 != 0) {
    return {};
  }
  const int channels = storage == Storage::kFp32
                           ? TokenMeanSizes<float>::kChannels
                           : TokenMeanSizes<Bf16>::kChannels;
  return GridOf(
      int64_t{arguments.batch} * CeilDivide(arguments.channels, channels),
      kMeanThreads);
}

AffinityPlan PlanAffinity(const AffinityArguments& arguments) {
  if (arguments.batch < 1 || arguments.parts < 1 || arguments.tokens < 1 ||
      arguments.channels < 1 || arguments.channels % 8 != 0 ||
      arguments.channels > kMaxRow || arguments.hidden < 1 ||
      arguments.hidden > kMaxRow) {
    return {};
  }
  return {GridOf(arguments.batch, kAffinityThreads),
          AffinitySizes(arguments.channels, arguments.hidden).shared_bytes};
}

}  // namespace groupmamba::cuda
