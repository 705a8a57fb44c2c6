#include "model/cpu/network.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace groupmamba::cpu {
namespace {

using kernels::PackedMatrix;

constexpr double kBatchNormEpsilon = 1e-5;
constexpr double kPatchNormEpsilon = 1e-5;
constexpr int64_t kPixelChannels = 3;

// Rows of the output a piece of a convolution computes, at least.
constexpr int64_t kConvolutionTokens = 224;

// Both heads in one: the mean of what they say.
PackedMatrix PackHeads(const WeightScope& root, bool two) {
  absl::Span<const float> weight = (root / "head").Get("weight");
  absl::Span<const float> bias = (root / "head").Get("bias");
  std::vector<float> mean_weight(weight.begin(), weight.end());
  std::vector<float> mean_bias(bias.begin(), bias.end());
  if (two) {
    weight = (root / "dist_head").Get("weight");
    bias = (root / "dist_head").Get("bias");
    const auto mean = [](float a, float b) { return (a + b) / 2; };
    std::transform(weight.begin(), weight.end(), mean_weight.begin(),
                   mean_weight.begin(), mean);
    std::transform(bias.begin(), bias.end(), mean_bias.begin(),
                   mean_bias.begin(), mean);
  }
  const int64_t classes = mean_bias.size();
  return PackedMatrix(root.isa(), kernels::Storage::kFp32,
                      mean_weight.size() / classes, classes, mean_weight,
                      mean_bias);
}

}  // namespace

// The convolution with the batch norm after it: the norm's running statistics
// go into its weights.
Network::Convolution Network::LoadStem(const WeightScope& scope, int index,
                                       int step) {
  const absl::Span<const float> weight =
      (scope / absl::StrCat("conv.", index)).Get("weight");
  const WeightScope norm = scope / absl::StrCat("conv.", index + 1);
  const int64_t out = norm.Get("bias").size();
  const int64_t k = weight.size() / out;
  std::vector<float> folded(weight.begin(), weight.end());
  std::vector<float> bias(out);
  for (int64_t n = 0; n < out; ++n) {
    const double scale =
        norm.Get("weight")[n] /
        std::sqrt(norm.Get("running_var")[n] + kBatchNormEpsilon);
    for (int64_t i = 0; i < k; ++i) {
      folded[n * k + i] = static_cast<float>(folded[n * k + i] * scale);
    }
    bias[n] = static_cast<float>(norm.Get("bias")[n] -
                                 norm.Get("running_mean")[n] * scale);
  }
  const int64_t in = index == 0 ? kPixelChannels : out;
  const int64_t side = std::lround(std::sqrt(k / in));
  return {PackConvolution(scope.isa(), scope.storage(), folded, bias, side),
          side, step,
          /*relu=*/true};
}

Network::Convolution Network::LoadDownsampling(const WeightScope& scope) {
  const WeightScope projection = scope / "proj";
  return {
      PackConvolution(scope.isa(), scope.storage(), projection.Get("weight"),
                      projection.Get("bias"), /*side=*/3),
      /*side=*/3, /*step=*/2, /*relu=*/false};
}

Network::Network(const ModelConfig& config, const BlockSpec& spec,
                 const WeightScope::Map& weights, kernels::Isa isa,
                 kernels::Storage storage)
    : isa_(isa) {
  const WeightScope root(weights, isa, storage);
  const WeightScope stem = root / "patch_embed1";
  stem_.push_back(LoadStem(stem, 0, /*step=*/2));
  stem_.push_back(LoadStem(stem, 3, /*step=*/1));
  stem_.push_back(LoadStem(stem, 6, /*step=*/1));
  const bool released = config.block == BlockForm::kReleased;
  for (int s = 0; s < kStages; ++s) {
    widths_[s] = config.widths[s];
    const WeightScope embedding = root / absl::StrCat("patch_embed", s + 1);
    embeddings_.push_back(LoadDownsampling(embedding));
    embedding_norms_.emplace_back(embedding / "norm", kPatchNormEpsilon);
    for (int i = 0; i < config.depths[s]; ++i) {
      const WeightScope scope = root / absl::StrCat("block", s + 1, ".", i);
      stages_[s].push_back(released ? MakeReleasedBlock(scope, spec)
                                    : MakePaperBlock(scope, spec));
    }
    norms_.emplace_back(root / absl::StrCat("norm", s + 1),
                        spec.branch_norm_epsilon);
  }
  if (released) class_block_ = MakeClassBlock(root / "post_network.0", spec);
  head_.emplace(PackHeads(root, /*two=*/released));
}

Network::Padded Network::MakePadded(Buffer& buffer, Grid size, int64_t border,
                                    int64_t channels) {
  Padded picture = {nullptr, size, border, channels};
  const int64_t line = picture.line();
  picture.data = buffer.Reserve((size.height + 2 * border) * line);
  const int64_t side = border * channels;
  std::fill_n(picture.data, border * line, 0.0f);
  for (int64_t row = 0; row < size.height; ++row) {
    float* const begin = picture.row(row) - side;
    std::fill_n(begin, side, 0.0f);
    std::fill_n(begin + line - side, side, 0.0f);
  }
  std::fill_n(picture.row(size.height) - side, border * line, 0.0f);
  return picture;
}

// out: [out_size, channels], `out_line` floats from row to row.
void Network::Convolve(const Convolution& convolution, const Padded& in,
                       Grid out_size, float* out, int64_t out_line,
                       Lane& lane) {
  const int64_t channels = convolution.matrix.n();
  const int64_t step = convolution.step;
  const int64_t rows =
      std::max<int64_t>(1, kConvolutionTokens / out_size.width);
  // Without gaps between its rows, a piece is one product.
  const int64_t rows_at_once = out_line == out_size.width * channels ? rows : 1;
  lane.For((out_size.height + rows - 1) / rows, [&](int64_t piece, Scratch&) {
    const int64_t end = std::min((piece + 1) * rows, out_size.height);
    for (int64_t row = piece * rows; row < end; row += rows_at_once) {
      const int64_t count = std::min(rows_at_once, end - row);
      Multiply({.data = in.data + row * step * in.line(),
                .rows = count * out_size.width,
                .stride = step * in.channels,
                .line_rows = out_size.width,
                .line_stride = step * in.line(),
                .segments = convolution.side,
                .segment_stride = in.line()},
               convolution.matrix, {.relu = convolution.relu},
               out + row * out_line, channels);
    }
  });
}

Grid Network::Embed(int stage, const Padded& in, Lane& lane) const {
  const Grid grid = {(in.size.height + 1) / 2, (in.size.width + 1) / 2};
  const int64_t width = widths_[stage];
  float* const x = lane.activations().tokens.Reserve(grid.tokens() * width);
  Convolve(embeddings_[stage], in, grid, x, grid.width * width, lane);
  ForPieces(lane, grid.tokens(), [&](int64_t first, int64_t count, Scratch&) {
    float* const piece = x + first * width;
    kernels::LayerNorm(isa_, count, width, {piece, width},
                       embedding_norms_[stage].weights(), {piece, width});
  });
  return grid;
}

Grid Network::ForwardStem(Grid size, ReadRow read_row, Lane& lane) const {
  Activations& memory = lane.activations();
  const int64_t border = stem_[0].side / 2;
  Padded picture = MakePadded(memory.picture, size, border, kPixelChannels);
  constexpr int64_t kRows = 16;
  lane.For((size.height + kRows - 1) / kRows, [&](int64_t piece, Scratch&) {
    const int64_t end = std::min((piece + 1) * kRows, size.height);
    for (int64_t row = piece * kRows; row < end; ++row) {
      read_row(row, picture.row(row));
    }
  });
  const Grid half = {(size.height + 1) / 2, (size.width + 1) / 2};
  for (size_t i = 0; i < stem_.size(); ++i) {
    const int64_t channels = stem_[i].matrix.n();
    const Padded out =
        MakePadded(memory.padded[i % 2], half, /*border=*/1, channels);
    Convolve(stem_[i], picture, half, out.row(0), out.line(), lane);
    picture = out;
  }
  return Embed(0, picture, lane);
}

Grid Network::Downsample(int stage, Grid grid, Lane& lane) const {
  Activations& memory = lane.activations();
  const int64_t width = widths_[stage - 1];
  const float* const x = memory.tokens.Reserve(grid.tokens() * width);
  const Padded normed = MakePadded(memory.padded[0], grid, /*border=*/1, width);
  lane.For(grid.height, [&](int64_t row, Scratch&) {
    kernels::LayerNorm(isa_, grid.width, width,
                       {x + row * grid.width * width, width},
                       norms_[stage - 1].weights(), {normed.row(row), width});
  });
  return Embed(stage, normed, lane);
}

void Network::Forward(Grid size, ReadRow read_row, Lane& lane,
                      float* logits) const {
  Forward(size, read_row, lane, logits, [](int, int, Grid, const float*) {});
}

void Network::Forward(Grid size, ReadRow read_row, Lane& lane, float* logits,
                      Trace trace) const {
  Grid grid = ForwardStem(size, read_row, lane);
  for (int s = 0; s < kStages; ++s) {
    if (s > 0) grid = Downsample(s, grid, lane);
    float* const x =
        lane.activations().tokens.Reserve(grid.tokens() * widths_[s]);
    for (size_t i = 0; i < stages_[s].size(); ++i) {
      stages_[s][i]->Forward(grid, lane, x);
      trace(s, static_cast<int>(i), grid, x);
    }
  }
  const int64_t width = widths_.back();
  const float* const x =
      lane.activations().tokens.Reserve(grid.tokens() * width);
  const float* const summary =
      class_block_ ? class_block_->Forward(grid, lane, x)
                   : MeanOverTokens(isa_, x, grid.tokens(), width, lane);
  float* const normed = lane.activations().normed.Reserve(width);
  kernels::LayerNorm(isa_, 1, width, {summary, width}, norms_.back().weights(),
                     {normed, width});
  Multiply({.data = normed, .rows = 1, .stride = width}, *head_, {}, logits,
           head_->n());
}

}  // namespace groupmamba::cpu
