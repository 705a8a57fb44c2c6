#include "tests/reference/resize_reference.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace groupmamba {
namespace {

constexpr double kOne =
    1 << 22;  // weights are rounded to multiples of 1 / kOne

double Cubic(double x) {
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

double Triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

struct Tap {
  int input;
  int64_t weight;
};

std::vector<Tap> TapsOf(int64_t output, int64_t output_size, int input_size,
                        ResizeFilter filter) {
  const auto weight = filter == ResizeFilter::kBicubic ? Cubic : Triangle;
  const double scale = static_cast<double>(input_size) / output_size;
  const double stretch = std::max(1.0, scale);
  const double reach = (filter == ResizeFilter::kBicubic ? 2 : 1) * stretch;
  const double centre = (output + 0.5) * scale;
  // Samples whose middle, rounded to a whole index, lies within the filter's
  // reach.
  const int begin = std::max(0, static_cast<int>(centre - reach + 0.5));
  const int end =
      static_cast<int>(std::min<double>(input_size, centre + reach + 0.5));
  double sum = 0;
  for (int x = begin; x < end; ++x) {
    sum += weight((x - centre + 0.5) * (1 / stretch));
  }
  std::vector<Tap> taps;
  for (int x = begin; x < end; ++x) {
    const double share = weight((x - centre + 0.5) * (1 / stretch)) / sum;
    taps.push_back({x, static_cast<int64_t>(std::round(share * kOne))});
  }
  return taps;
}

uint8_t WeightedSum(const std::vector<Tap>& taps,
                    const std::function<uint8_t(int)>& input) {
  int64_t sum = 0;
  for (const Tap& tap : taps) sum += tap.weight * input(tap.input);
  const double rounded = std::floor(static_cast<double>(sum) / kOne + 0.5);
  return static_cast<uint8_t>(std::clamp(rounded, 0.0, 255.0));
}

}  // namespace

cv::Mat ReferenceTransform(const cv::Mat& rgb, const TransformSpec& spec) {
  const int shorter = std::min(rgb.rows, rgb.cols);
  const auto resized = [&](int side) {
    return static_cast<int64_t>(static_cast<double>(spec.resize) * side /
                                shorter);
  };
  const int64_t height = resized(rgb.rows), width = resized(rgb.cols);
  const int64_t top = std::llrint((height - spec.crop_height) / 2.0);
  const int64_t left = std::llrint((width - spec.crop_width) / 2.0);

  cv::Mat out(spec.crop_height, spec.crop_width, CV_8UC3);
  for (int y = 0; y < out.rows; ++y) {
    const auto down = TapsOf(top + y, height, rgb.rows, spec.filter);
    for (int x = 0; x < out.cols; ++x) {
      const auto across = TapsOf(left + x, width, rgb.cols, spec.filter);
      for (int c = 0; c < 3; ++c) {
        out.at<cv::Vec3b>(y, x)[c] = WeightedSum(down, [&](int row) {
          return WeightedSum(across, [&](int column) {
            return rgb.at<cv::Vec3b>(row, column)[c];
          });
        });
      }
    }
  }
  return out;
}

}  // namespace groupmamba
