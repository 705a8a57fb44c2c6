#include "model/formula_weights.h"

#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/manifest.h"

namespace groupmamba {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;

uint64_t Fnv1a64(absl::string_view text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  }
  return hash;
}

// The noise of one tensor: u of its elements.
class Noise {
 public:
  Noise(absl::string_view name, uint64_t seed)
      : start_(Fnv1a64(name) + seed * kGolden) {}

  double operator()(int64_t i) const {
    uint64_t z = start_ + (static_cast<uint64_t>(i) + 1) * kGolden;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    return static_cast<double>(z >> 40) * 0x1p-23 - 1;
  }

 private:
  uint64_t start_;
};

int64_t CountElements(absl::Span<const int64_t> shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

struct Range {
  double offset;
  double scale;
};

// Keeps the variance of what a matrix multiplies; the last matrix of a residual
// branch gets a fifth, so that depth does not blow the activations up.
Range RangeOfMatrix(absl::string_view name, int64_t fan_in) {
  const double scale = std::sqrt(3.0 / static_cast<double>(fan_in));
  const bool ends_branch = absl::EndsWith(name, "attn.proj.weight") ||
                           absl::EndsWith(name, "mlp.fc2.weight");
  return {0, ends_branch ? 0.2 * scale : scale};
}

std::optional<Range> RangeOf(absl::string_view name,
                             absl::Span<const int64_t> shape) {
  const absl::string_view last = name.substr(name.rfind('.') + 1);
  if (last == "A_logs") return Range{0, 0.5};
  if (last == "Ds") return Range{1, 0.2};
  if (last == "skip_scale") return Range{1, 0.1};
  if (last == "dt_projs_bias") return Range{-3, 1.5};
  if (last == "running_mean") return Range{0, 0.1};
  if (last == "running_var") return Range{1, 0.3};
  if (last == "bias") return Range{0, 0.05};
  if (shape.empty()) return std::nullopt;
  if (last == "dt_projs_weight") {
    return Range{0, 1 / std::sqrt(static_cast<double>(shape.back()))};
  }
  if (last == "x_proj_weight") return RangeOfMatrix(name, shape.back());
  if (last != "weight") return std::nullopt;
  if (shape.size() == 1) return Range{1, 0.1};
  return RangeOfMatrix(name, CountElements(shape.subspan(1)));
}

}  // namespace

absl::StatusOr<std::vector<float>> FormulaTensor(
    absl::string_view name, absl::Span<const int64_t> shape, uint64_t seed) {
  const std::optional<Range> range = RangeOf(name, shape);
  if (!range) {
    return absl::InvalidArgumentError(
        absl::StrCat("the formula has no values for \"", name, "\""));
  }
  const Noise noise(name, seed);
  std::vector<float> values(CountElements(shape));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(range->offset + range->scale * noise(i));
  }
  return values;
}

absl::StatusOr<std::map<std::string, std::vector<float>>> FormulaWeights(
    const ModelConfig& config, uint64_t seed) {
  std::map<std::string, std::vector<float>> weights;
  for (const ParameterSpec& spec : ListParameters(config)) {
    if (spec.kind == ParameterSpec::Kind::kCounter) continue;
    GM_ASSIGN_OR_RETURN(weights[spec.name],
                        FormulaTensor(spec.name, spec.shape, seed));
  }
  return weights;
}

std::vector<float> FormulaInput(int64_t batch, int64_t height, int64_t width,
                                uint64_t seed) {
  constexpr int64_t kChannels = 3;
  const Noise noise("input", seed);
  std::vector<float> values;
  values.reserve(batch * kChannels * height * width);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t c = 0; c < kChannels; ++c) {
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          const double u = noise(static_cast<int64_t>(values.size()));
          const double wave = std::sin(0.05 * static_cast<double>((b + 1) * y) +
                                       0.03 * static_cast<double>((c + 1) * x));
          values.push_back(static_cast<float>(1.5 * u) +
                           static_cast<float>(wave));
        }
      }
    }
  }
  return values;
}

std::vector<int64_t> GoldenSampleIndices(int64_t elements) {
  constexpr int64_t kSamples = 64;
  constexpr int64_t kStride =
      2654435761;  // a prime: 2^32 over the golden ratio
  std::vector<int64_t> indices;
  indices.reserve(kSamples);
  for (int64_t k = 0; k < kSamples; ++k) {
    indices.push_back(k * kStride % elements);
  }
  return indices;
}

}  // namespace groupmamba
