#include "model/image/resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace groupmamba {
namespace {

double Triangle(double x) {
  x = std::fabs(x);
  return x < 1 ? 1 - x : 0;
}

double KeysCubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

struct Filter {
  double (*weight)(double);
  double support;
};

Filter FilterOf(ResizeFilter filter) {
  return filter == ResizeFilter::kBilinear ? Filter{Triangle, 1}
                                           : Filter{KeysCubic, 2};
}

// 255 times the sum of the weights' magnitudes stays below 2^31: the sum of the
// weights is 1, and the cubic's negative ones add at most a third of that.
int32_t ToFixedPoint(double weight) {
  return static_cast<int32_t>(std::lround(weight * (1 << kWeightBits)));
}

}  // namespace

ResampleAxis MakeResampleAxis(int64_t input_size, int64_t output_size,
                              int64_t output_begin, int count,
                              ResizeFilter filter) {
  const Filter f = FilterOf(filter);
  const double scale =
      static_cast<double>(input_size) / static_cast<double>(output_size);
  const double stretch = std::max(scale, 1.0);  // of the filter: antialiasing
  const double support = f.support * stretch;
  const double step = 1.0 / stretch;

  ResampleAxis axis;
  const int max_taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  axis.stride = (max_taps + kTapGroup - 1) / kTapGroup * kTapGroup;
  axis.first.resize(count);
  axis.taps.resize(count);
  axis.weights.assign(static_cast<size_t>(count) * axis.stride, 0);
  axis.input_begin = static_cast<int>(input_size);
  std::vector<double> weights(max_taps);
  for (int i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(output_begin + i) + 0.5) * scale;
    const int begin = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int end = static_cast<int>(std::min<int64_t>(
        static_cast<int64_t>(centre + support + 0.5), input_size));
    double sum = 0;
    for (int x = begin; x < end; ++x) {
      weights[x - begin] = f.weight((x - centre + 0.5) * step);
      sum += weights[x - begin];
    }
    int32_t* fixed = axis.weights.data() + static_cast<size_t>(i) * axis.stride;
    for (int x = begin; x < end; ++x) {
      fixed[x - begin] = ToFixedPoint(weights[x - begin] / sum);
    }
    axis.first[i] = begin;
    axis.taps[i] = end - begin;
    axis.input_begin = std::min(axis.input_begin, begin);
    axis.input_end = std::max(axis.input_end, end);
  }
  return axis;
}

absl::Span<const ResampleKernels* const> AvailableResampleKernels() {
  static constexpr const ResampleKernels* kAll[] = {&kResampleAvx2,
                                                    &kResamplePortable};
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  return absl::MakeConstSpan(kAll).subspan(has_avx2 ? 0 : 1);
}

}  // namespace groupmamba
