// The host's side of the SS2D core: sizes, segments, packing. No CUDA in it.

#include <algorithm>
#include <cmath>

#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_core_geometry.h"

namespace groupmamba::cuda {
namespace {

constexpr int kPaddedWidths[] = {8, 16, 24, 32, 48, 88, 112, 128};
// Two blocks fit a multiprocessor with 100 KB, four one with 228 KB.
constexpr int kGoodSharedBytes = 49 * 1024;

bool IsByColumn(kernels::Direction direction) {
  return direction == kernels::Direction::kTopBottom ||
         direction == kernels::Direction::kBottomTop;
}

int RoundUp(int value, int unit) { return CeilDivide(value, unit) * unit; }

// What the longest of `segments` segments takes, in whichever direction takes
// more.
Ss2dPlan Cut(const Ss2dShape& shape, Storage storage, int segments) {
  const int padded = PaddedGroupWidth(shape.group_width);
  const int value_bytes = storage == Storage::kFp32 ? 4 : 2;
  Ss2dPlan plan = {segments, kWarp, 0,
                   shape.batch * kGroups * std::max(segments, 1)};
  for (const kernels::Direction direction : shape.directions) {
    const bool by_column = IsByColumn(direction);
    const Lines line(by_column ? shape.height : shape.width, padded);
    const int lines =
        CeilDivide(by_column ? shape.width : shape.height, segments);
    const int items = lines * line.chunks * (padded / kQuad);
    plan.threads = std::max(plan.threads, RoundUp(items, kWarp));
    plan.shared_bytes =
        std::max(plan.shared_bytes,
                 SharedLayout(line, lines, padded, value_bytes).bytes);
  }
  return plan;
}

bool Fits(const Ss2dPlan& plan, int shared_bytes) {
  return plan.threads <= kMaxThreads && plan.shared_bytes <= shared_bytes;
}

bool IsSupported(const Ss2dShape& shape) {
  const int padded = PaddedGroupWidth(shape.group_width);
  constexpr int64_t kMaxTokens = 1 << 20;
  return padded > 0 && shape.rank >= 1 && shape.rank <= PaddedRank(padded) &&
         shape.batch >= 1 && shape.height >= 1 && shape.width >= 1 &&
         int64_t{shape.height} * shape.width <= kMaxTokens &&
         shape.batch <= (1 << 20);
}

}  // namespace

int PaddedGroupWidth(int group_width) {
  if (group_width < 1) return 0;
  for (const int padded : kPaddedWidths) {
    if (group_width <= padded) return padded;
  }
  return 0;
}

int PaddedRank(int padded_width) { return RankOf(padded_width); }

size_t PackedSs2dFloats(const Ss2dShape& shape) {
  const int padded = PaddedGroupWidth(shape.group_width);
  return size_t{kGroups} * RowCount(padded) * padded;
}

void PackSs2dParameters(const Ss2dShape& shape, int group,
                        const Ss2dParameters& from, float* packed) {
  const int d = shape.group_width;
  const int padded = PaddedGroupWidth(d);
  const size_t floats = size_t(RowCount(padded)) * padded;
  float* const to = packed + group * floats;
  std::fill(to, to + floats, 0.0f);
  const auto row = [to, padded](int r) { return to + size_t(r) * padded; };
  for (int c = 0; c < d; ++c) {
    for (int tap = 0; tap < 9; ++tap) {
      row(Ss2dRows::kConvolution + tap)[c] =
          from.convolution_weight[c * 9 + tap];
    }
    row(Ss2dRows::kConvolutionBias)[c] = from.convolution_bias[c];
    row(Ss2dRows::kDeltaBias)[c] = from.dt_projs_bias[c];
    row(Ss2dRows::kA)[c] = -std::exp(from.a_logs[c]);
    row(Ss2dRows::kD)[c] = from.ds[c];
    row(Ss2dRows::kNormWeight)[c] = from.out_norm_weight[c];
    row(Ss2dRows::kNormBias)[c] = from.out_norm_bias[c];
    row(Ss2dRows::kB)[c] = from.x_proj_weight[shape.rank * d + c];
    row(Ss2dRows::kC)[c] = from.x_proj_weight[(shape.rank + 1) * d + c];
    for (int r = 0; r < shape.rank; ++r) {
      row(Ss2dRows::kRank + r)[c] = from.x_proj_weight[r * d + c];
      row(DeltaRow(padded) + r)[c] = from.dt_projs_weight[c * shape.rank + r];
    }
  }
}

Ss2dPlan PlanSs2d(const Ss2dShape& shape, Storage storage, int segments,
                  int min_blocks) {
  if (!IsSupported(shape)) return {};
  if (segments > 0) {
    const Ss2dPlan plan = Cut(shape, storage, segments);
    return Fits(plan, kMaxSharedBytes) ? plan : Ss2dPlan{};
  }
  const int most = std::max(shape.height, shape.width);
  for (int k = 1; k <= most; ++k) {
    const Ss2dPlan plan = Cut(shape, storage, k);
    if (Fits(plan, kGoodSharedBytes) && plan.blocks >= min_blocks) return plan;
  }
  const Ss2dPlan finest = Cut(shape, storage, most);
  return Fits(finest, kMaxSharedBytes) ? finest : Ss2dPlan{};
}

size_t Ss2dScratchBytes(const Ss2dShape& shape, const Ss2dPlan& plan) {
  if (plan.segments <= 1) return 0;
  return kTicketBytes + sizeof(uint64_t) * shape.batch * kGroups *
                            (plan.segments - 1) *
                            PaddedGroupWidth(shape.group_width);
}

}  // namespace groupmamba::cuda
