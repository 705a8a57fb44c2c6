#include "model/cpu/layers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace groupmamba::cpu {

using kernels::PackedMatrix;

namespace {

// A sum over tokens is made of sums over this many. Fixed: its bits must not
// depend on the number of threads.
constexpr int64_t kTokensPerSum = 128;

}  // namespace

WeightScope WeightScope::operator/(absl::string_view module) const {
  return WeightScope(weights_, isa_, storage_,
                     prefix_.empty() ? std::string(module)
                                     : absl::StrCat(prefix_, ".", module));
}

absl::Span<const float> WeightScope::Get(absl::string_view parameter) const {
  const auto found = weights_.find(absl::StrCat(prefix_, ".", parameter));
  if (found == weights_.end()) {
    std::fprintf(stderr, "no parameter %s.%s\n", prefix_.c_str(),
                 std::string(parameter).c_str());
    std::abort();
  }
  return found->second;
}

Norm::Norm(const WeightScope& scope, double epsilon)
    : weight(scope.Get("weight").begin(), scope.Get("weight").end()),
      bias(scope.Get("bias").begin(), scope.Get("bias").end()),
      epsilon(static_cast<float>(epsilon)) {}

kernels::NormWeights Norm::weights() const {
  return {weight.data(), bias.data(), epsilon};
}

PackedMatrix PackLinear(const WeightScope& scope) {
  const absl::Span<const float> weight = scope.Get("weight");
  const absl::Span<const float> bias = scope.Get("bias");
  const int64_t n = bias.size();
  return PackedMatrix(scope.isa(), scope.storage(), weight.size() / n, n,
                      weight, bias);
}

PackedMatrix PackConvolution(kernels::Isa isa, kernels::Storage storage,
                             absl::Span<const float> weight,
                             absl::Span<const float> bias, int64_t side) {
  const int64_t out = bias.size();
  const int64_t window = side * side;
  const int64_t k = weight.size() / out;
  const int64_t in = k / window;
  std::vector<float> ordered(weight.size());
  for (int64_t n = 0; n < out; ++n) {
    for (int64_t c = 0; c < in; ++c) {
      for (int64_t at = 0; at < window; ++at) {
        ordered[n * k + at * in + c] = weight[n * k + c * window + at];
      }
    }
  }
  return PackedMatrix(isa, storage, k, out, ordered, bias);
}

Depthwise::Depthwise(const WeightScope& scope, int64_t width, int64_t slice)
    : weight(9 * width), bias(width) {
  const absl::Span<const float> taps = scope.Get("weight");  // [channels, 9]
  const absl::Span<const float> biases = scope.Get("bias");
  for (int64_t c = 0; c < static_cast<int64_t>(biases.size()); ++c) {
    const int64_t first = c / slice * slice;
    const int64_t count = std::min(slice, width - first);
    for (int64_t tap = 0; tap < 9; ++tap) {
      weight[9 * first + tap * count + c - first] = taps[c * 9 + tap];
    }
    bias[c] = biases[c];
  }
}

Affinity::Affinity(const WeightScope& scope, float factor)
    : isa_(scope.isa()), factor_(factor) {
  const auto copy = [](absl::Span<const float> values) {
    return std::vector<float>(values.begin(), values.end());
  };
  weight1_ = copy((scope / "fc1").Get("weight"));
  bias1_ = copy((scope / "fc1").Get("bias"));
  weight2_ = copy((scope / "fc2").Get("weight"));
  bias2_ = copy((scope / "fc2").Get("bias"));
  hidden_ = bias1_.size();
  channels_ = bias2_.size();
}

const float* MeanOverTokens(kernels::Isa isa, const float* x, int64_t tokens,
                            int64_t channels, Lane& lane) {
  const int64_t count = (tokens + kTokensPerSum - 1) / kTokensPerSum;
  float* const sums = lane.activations().sums.Reserve((count + 1) * channels);
  lane.For(count, [&](int64_t i, Scratch&) {
    const int64_t first = i * kTokensPerSum;
    kernels::ColumnSums(isa, std::min(kTokensPerSum, tokens - first), channels,
                        {x + first * channels, channels}, sums + i * channels);
  });
  float* const mean = sums + count * channels;
  kernels::ColumnSums(isa, count, channels, {sums, channels}, mean);
  for (int64_t c = 0; c < channels; ++c) mean[c] /= static_cast<float>(tokens);
  return mean;
}

void Affinity::Forward(const float* x, int64_t tokens, Lane& lane,
                       float* scale) const {
  const float* const mean = MeanOverTokens(isa_, x, tokens, channels_, lane);
  float* const hidden = lane.scratch().sum.Reserve(hidden_);
  for (int64_t j = 0; j < hidden_; ++j) {
    float sum = bias1_[j];
    for (int64_t c = 0; c < channels_; ++c) {
      sum += weight1_[j * channels_ + c] * mean[c];
    }
    hidden[j] = std::max(0.0f, sum);
  }
  for (int64_t c = 0; c < channels_; ++c) {
    float sum = bias2_[c];
    for (int64_t j = 0; j < hidden_; ++j) {
      sum += weight2_[c * hidden_ + j] * hidden[j];
    }
    scale[c] = factor_ / (1 + std::exp(-sum));
  }
}

}  // namespace groupmamba::cpu
