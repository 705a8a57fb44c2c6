// The host's side of the SS2D core, of both passes: sizes, segments, packing.
// No CUDA in it.

#include <algorithm>
#include <cmath>

#include "kernels/cuda/ss2d_backward.h"
#include "kernels/cuda/ss2d_backward_geometry.h"
#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_core_geometry.h"
#include "kernels/cuda/ss2d_widths.h"

namespace groupmamba::cuda {
namespace {

// Two blocks fit a multiprocessor with 100 KB, four one with 228 KB. A backward
// pass's border costs more traffic than an idle block (docs/kernels.md).
constexpr int kGoodSharedBytes = 49 * 1024;
constexpr int kGoodBackwardBytes = kMaxSharedBytes;

bool IsByColumn(kernels::Direction direction) {
  return direction == kernels::Direction::kTopBottom ||
         direction == kernels::Direction::kBottomTop;
}

int ValueBytes(Storage storage) { return storage == Storage::kFp32 ? 4 : 2; }

int RoundUp(int value, int unit) { return CeilDivide(value, unit) * unit; }

// What the longest of `segments` segments takes, in whichever direction takes
// more.
template <class Pass>
Ss2dPlan Cut(const Ss2dShape& shape, Storage storage, int segments) {
  const int padded = PaddedGroupWidth(shape.group_width);
  Ss2dPlan plan = {segments, kWarp, 0,
                   shape.batch * kGroups * std::max(segments, 1)};
  for (const kernels::Direction direction : shape.directions) {
    const bool by_column = IsByColumn(direction);
    const Lines line(by_column ? shape.height : shape.width,
                     Pass::MaxChunk(padded));
    const int all = by_column ? shape.width : shape.height;
    const int band = Pass::Band(line, padded, ValueBytes(storage));
    const int lines =
        std::min(all, CeilDivide(CeilDivide(all, band), segments) * band);
    const int items = lines * line.chunks * Pass::ScanLanes(padded);
    plan.threads = std::max(plan.threads, RoundUp(items, kWarp));
    plan.shared_bytes = std::max(
        plan.shared_bytes,
        typename Pass::Layout(line, lines, padded, ValueBytes(storage)).bytes);
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

template <class Pass>
Ss2dPlan Plan(const Ss2dShape& shape, Storage storage, int segments,
              int min_blocks, int good_shared_bytes) {
  if (!IsSupported(shape)) return {};
  if (segments > 0) {
    const Ss2dPlan plan = Cut<Pass>(shape, storage, segments);
    return Fits(plan, kMaxSharedBytes) ? plan : Ss2dPlan{};
  }
  const int most = std::max(shape.height, shape.width);
  for (int k = 1; k <= most; ++k) {
    const Ss2dPlan plan = Cut<Pass>(shape, storage, k);
    if (Fits(plan, good_shared_bytes) && plan.blocks >= min_blocks) {
      return plan;
    }
  }
  const Ss2dPlan finest = Cut<Pass>(shape, storage, most);
  return Fits(finest, kMaxSharedBytes) ? finest : Ss2dPlan{};
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

void UnpackSs2dGradients(const Ss2dShape& shape, int group,
                         const float* packed_parameters,
                         const float* packed_gradients,
                         const Ss2dGradients& to) {
  const int d = shape.group_width;
  const int padded = PaddedGroupWidth(d);
  const size_t offset = group * size_t(GroupFloats(padded));
  const float* const from = packed_gradients + offset;
  const float* const a =
      packed_parameters + offset + size_t(Ss2dRows::kA) * padded;
  const auto row = [from, padded](int r) { return from + size_t(r) * padded; };
  for (int c = 0; c < d; ++c) {
    for (int tap = 0; tap < 9; ++tap) {
      to.convolution_weight[c * 9 + tap] = row(Ss2dRows::kConvolution + tap)[c];
    }
    to.convolution_bias[c] = row(Ss2dRows::kConvolutionBias)[c];
    to.dt_projs_bias[c] = row(Ss2dRows::kDeltaBias)[c];
    // A = -exp(a_logs) is its own slope.
    to.a_logs[c] = row(Ss2dRows::kA)[c] * a[c];
    to.ds[c] = row(Ss2dRows::kD)[c];
    to.out_norm_weight[c] = row(Ss2dRows::kNormWeight)[c];
    to.out_norm_bias[c] = row(Ss2dRows::kNormBias)[c];
    to.x_proj_weight[shape.rank * d + c] = row(Ss2dRows::kB)[c];
    to.x_proj_weight[(shape.rank + 1) * d + c] = row(Ss2dRows::kC)[c];
    for (int r = 0; r < shape.rank; ++r) {
      to.x_proj_weight[r * d + c] = row(Ss2dRows::kRank + r)[c];
      to.dt_projs_weight[c * shape.rank + r] = row(DeltaRow(padded) + r)[c];
    }
  }
}

Ss2dPlan PlanSs2d(const Ss2dShape& shape, Storage storage, int segments,
                  int min_blocks) {
  return Plan<Ss2dForwardPass>(shape, storage, segments, min_blocks,
                               kGoodSharedBytes);
}

Ss2dPlan PlanSs2dBackward(const Ss2dShape& shape, Storage storage, int segments,
                          int min_blocks) {
  return Plan<Ss2dBackwardPass>(shape, storage, segments, min_blocks,
                                kGoodBackwardBytes);
}

size_t Ss2dStateFloats(const Ss2dShape& shape) {
  return size_t(shape.batch) * kGroups *
         SavedChunks(shape.height, shape.width) *
         PaddedGroupWidth(shape.group_width);
}

size_t Ss2dScratchBytes(const Ss2dShape& shape, const Ss2dPlan& plan) {
  if (plan.segments <= 1) return 0;
  return kTicketBytes + sizeof(uint64_t) * shape.batch * kGroups *
                            (plan.segments - 1) *
                            PaddedGroupWidth(shape.group_width);
}

size_t Ss2dBackwardScratchBytes(const Ss2dShape& shape, Storage storage,
                                const Ss2dPlan& plan) {
  if (plan.segments <= 1) return 0;
  const BackwardWords border(shape.height, shape.width,
                             PaddedGroupWidth(shape.group_width),
                             ValueBytes(storage));
  return kTicketBytes + sizeof(uint64_t) * shape.batch * kGroups *
                            (plan.segments - 1) * border.words;
}

size_t Ss2dPartialFloats(const Ss2dShape& shape) {
  return size_t(shape.batch) * PackedSs2dFloats(shape);
}

}  // namespace groupmamba::cuda
