// One channel group's scan and what surrounds it. Inside, its channels are
// padded with zeros to whole vectors: 87 channels become 88, so that only the
// norm and the products at both ends see an odd width. A padded channel stays 0
// all the way (its weights are 0 and silu(0) is 0).

#include <cmath>

#include "model/cpu/layers.h"

namespace groupmamba::cpu {
namespace {

using kernels::PackedMatrix;
using kernels::Storage;

constexpr double kOutNormEpsilon = 1e-5;

int64_t RoundUp(int64_t width) { return (width + 7) / 8 * 8; }

// `rows` [n, k] with further rows of zeros up to `padded`.
std::vector<float> WithRows(absl::Span<const float> rows, int64_t k,
                            int64_t padded) {
  std::vector<float> result(rows.begin(), rows.end());
  result.resize(padded * k);
  return result;
}

// u's rows, padded, then the gate's, padded.
PackedMatrix PackInProjection(const WeightScope& scope, int64_t width,
                              int64_t padded) {
  const absl::Span<const float> weight = (scope / "in_proj").Get("weight");
  std::vector<float> rows =
      WithRows(weight.subspan(0, width * width), width, padded);
  const std::vector<float> gate =
      WithRows(weight.subspan(width * width), width, padded);
  rows.insert(rows.end(), gate.begin(), gate.end());
  return PackedMatrix(scope.isa(), scope.storage(), width, 2 * padded, rows,
                      {});
}

PackedMatrix PackOutProjection(const WeightScope& scope, int64_t width) {
  return PackedMatrix(scope.isa(), scope.storage(), width, width,
                      (scope / "out_proj").Get("weight"), {});
}

}  // namespace

Ss2d::Ss2d(const WeightScope& scope, kernels::Direction direction)
    : width_(scope.Get("Ds").size()),
      padded_(RoundUp(width_)),
      rank_(scope.Get("dt_projs_weight").size() / width_),
      direction_(direction),
      in_proj_(PackInProjection(scope, width_, padded_)),
      convolution_(scope / "conv2d", padded_, padded_),
      x_proj_(scope.isa(), Storage::kFp32, width_, rank_ + 2,
              scope.Get("x_proj_weight"), {}),
      dt_proj_(scope.isa(), Storage::kFp32, rank_, padded_,
               WithRows(scope.Get("dt_projs_weight"), rank_, padded_), {}),
      d_(WithRows(scope.Get("Ds"), 1, padded_)),
      delta_bias_(WithRows(scope.Get("dt_projs_bias"), 1, padded_)),
      out_norm_(scope / "out_norm", kOutNormEpsilon),
      out_proj_(PackOutProjection(scope, width_)) {
  for (const float log : scope.Get("A_logs")) a_.push_back(-std::exp(log));
  a_.resize(padded_, -1.0f);
}

void Ss2d::Forward(const float* x, int64_t x_stride, Grid grid,
                   Scratch& scratch, const float* residual, float* out,
                   int64_t out_stride) const {
  const kernels::Isa isa = in_proj_.isa();
  const int64_t tokens = grid.tokens();
  const int64_t pair = 2 * padded_;  // u and its gate
  float* const projected = scratch.projected.Reserve(tokens * pair);
  float* const u = scratch.mixed.Reserve(tokens * padded_);
  float* const delta = scratch.delta.Reserve(tokens * padded_);
  const int64_t rates_stride = rank_ + 2;
  float* const rates = scratch.rates.Reserve(tokens * rates_stride);

  Multiply({.data = x, .rows = tokens, .stride = x_stride}, in_proj_, {},
           projected, pair);
  kernels::DepthwiseConv(
      isa, {.rows = grid.height, .width = grid.width, .channels = padded_},
      kernels::Activation::kSilu, {projected, pair}, convolution_.weight.data(),
      convolution_.bias.data(), {u, padded_});
  Multiply({.data = u, .rows = tokens, .stride = padded_}, x_proj_, {}, rates,
           rates_stride);
  Multiply({.data = rates, .rows = tokens, .stride = rates_stride}, dt_proj_,
           {}, delta, padded_);
  // The scan's result takes u's place beside the gate.
  float* const y = projected;
  kernels::SelectiveScan(isa,
                         {.batch = 1,
                          .height = grid.height,
                          .width = grid.width,
                          .channels = padded_},
                         direction_,
                         {.u = {u, 0, padded_},
                          .delta = {delta, 0, padded_},
                          .b = {rates + rank_, 0, rates_stride},
                          .c = {rates + rank_ + 1, 0, rates_stride},
                          .a = a_.data(),
                          .d = d_.data(),
                          .delta_bias = delta_bias_.data()},
                         {y, 0, pair});
  kernels::GatedLayerNorm(isa, tokens, width_, {y, pair},
                          {projected + padded_, pair}, out_norm_.weights(),
                          {u, padded_});
  Multiply({.data = u, .rows = tokens, .stride = padded_}, out_proj_,
           {.residual = residual, .residual_stride = x_stride}, out,
           out_stride);
}

}  // namespace groupmamba::cpu
