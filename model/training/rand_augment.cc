#include "model/training/rand_augment.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "opencv2/core.hpp"
#include "opencv2/imgproc.hpp"

namespace groupmamba::training {
namespace {

constexpr double kHighest = 10;  // level

// One table for each channel: what becomes of its values.
using Tables = std::array<std::array<uint8_t, 256>, 3>;

uint8_t Clipped(double value) {
  return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
}

// Calls f(pixel), a uint8_t* to three values, for every pixel.
template <typename F>
void ForEachPixel(cv::Mat* picture, F f) {
  for (int y = 0; y < picture->rows; ++y) {
    uint8_t* pixel = picture->ptr(y);
    for (int x = 0; x < picture->cols; ++x, pixel += 3) f(pixel);
  }
}

void LookUp(const Tables& tables, cv::Mat* picture) {
  ForEachPixel(picture, [&tables](uint8_t* pixel) {
    for (int c = 0; c < 3; ++c) pixel[c] = tables[c][pixel[c]];
  });
}

// The same table, f(value), for all channels.
template <typename F>
void MapValues(F f, cv::Mat* picture) {
  Tables tables;
  for (int v = 0; v < 256; ++v) tables[0][v] = static_cast<uint8_t>(f(v));
  tables[1] = tables[2] = tables[0];
  LookUp(tables, picture);
}

using Histogram = std::array<int, 256>;

std::array<Histogram, 3> Histograms(cv::Mat* picture) {
  std::array<Histogram, 3> counts = {};
  ForEachPixel(picture, [&counts](const uint8_t* pixel) {
    for (int c = 0; c < 3; ++c) ++counts[c][pixel[c]];
  });
  return counts;
}

void AutoContrast(cv::Mat* picture) {
  const std::array<Histogram, 3> counts = Histograms(picture);
  Tables tables;
  for (int c = 0; c < 3; ++c) {
    const auto there = [&](int v) { return counts[c][v] > 0; };
    int low = 0, high = 255;
    while (low < 255 && !there(low)) ++low;
    while (high > 0 && !there(high)) --high;
    for (int v = 0; v < 256; ++v) {
      tables[c][v] = high <= low ? static_cast<uint8_t>(v)
                                 : Clipped(255.0 * (v - low) / (high - low));
    }
  }
  LookUp(tables, picture);
}

// As Pillow spreads the values: 255 steps of equally many pixels, what has the
// highest value left out.
void Equalize(cv::Mat* picture) {
  const std::array<Histogram, 3> counts = Histograms(picture);
  const int pixels = picture->rows * picture->cols;
  Tables tables;
  for (int c = 0; c < 3; ++c) {
    int last = 255;
    while (last > 0 && counts[c][last] == 0) --last;
    const int step = (pixels - counts[c][last]) / 255;
    int sum = step / 2;
    for (int v = 0; v < 256; ++v) {
      tables[c][v] =
          static_cast<uint8_t>(step == 0 ? v : std::min(sum / step, 255));
      sum += counts[c][v];
    }
  }
  LookUp(tables, picture);
}

// Luma (ITU-R 601).
int Gray(const uint8_t* pixel) {
  return (299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]) / 1000;
}

// value = plain + factor (value - plain): 0 gives `plain`, 1 the picture.
uint8_t Blend(double plain, uint8_t value, double factor) {
  return Clipped(plain + factor * (value - plain));
}

void ChangeColor(double factor, cv::Mat* picture) {
  ForEachPixel(picture, [factor](uint8_t* pixel) {
    const int gray = Gray(pixel);
    for (int c = 0; c < 3; ++c) pixel[c] = Blend(gray, pixel[c], factor);
  });
}

void ChangeContrast(double factor, cv::Mat* picture) {
  double sum = 0;
  ForEachPixel(picture, [&sum](const uint8_t* pixel) { sum += Gray(pixel); });
  const double mean =
      std::floor(sum / static_cast<double>(picture->total()) + 0.5);
  MapValues([&](int v) { return Blend(mean, static_cast<uint8_t>(v), factor); },
            picture);
}

void ChangeSharpness(double factor, cv::Mat* picture) {
  if (picture->rows < 3 || picture->cols < 3) return;
  const cv::Mat kernel = (cv::Mat_<float>(3, 3) << 1, 1, 1, 1, 5, 1, 1, 1, 1);
  cv::Mat smooth;
  cv::filter2D(*picture, smooth, CV_8U, kernel / 13);
  // The border stays, as in Pillow's filters.
  for (int y = 1; y < picture->rows - 1; ++y) {
    uint8_t* row = picture->ptr(y);
    const uint8_t* plain = smooth.ptr(y);
    for (int i = 3; i < 3 * (picture->cols - 1); ++i) {
      row[i] = Blend(plain[i], row[i], factor);
    }
  }
}

// `map` gives the place in the picture that an output pixel is taken from.
void Warp(const cv::Matx23d& map, Colour fill, cv::Mat* picture) {
  cv::Mat warped;
  cv::warpAffine(*picture, warped, map, picture->size(),
                 cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT,
                 cv::Scalar(fill[0], fill[1], fill[2]));
  *picture = warped;
}

void Rotate(double degrees, Colour fill, cv::Mat* picture) {
  const double angle = degrees * M_PI / 180;
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const double x = (picture->cols - 1) / 2.0, y = (picture->rows - 1) / 2.0;
  Warp({cosine, sine, x - cosine * x - sine * y,  //
        -sine, cosine, y + sine * x - cosine * y},
       fill, picture);
}

// Operations that are a table of values.
void ApplyTable(Operation operation, double strength, cv::Mat* picture) {
  switch (operation) {
    case Operation::kInvert:
      return MapValues([](int v) { return 255 - v; }, picture);
    case Operation::kPosterize: {
      const int bits = 4 - static_cast<int>(4 * strength);
      return MapValues([bits](int v) { return v & ~(0xff >> bits); }, picture);
    }
    case Operation::kSolarize: {
      const int threshold = 256 - static_cast<int>(256 * strength);
      return MapValues(
          [threshold](int v) { return v < threshold ? v : 255 - v; }, picture);
    }
    default: {  // kSolarizeAdd
      const int more = static_cast<int>(110 * strength);
      return MapValues(
          [more](int v) { return v < 128 ? std::min(v + more, 255) : v; },
          picture);
    }
  }
}

}  // namespace

void Apply(Operation operation, double level, bool negative, Colour fill,
           cv::Mat* picture) {
  const double strength = level / kHighest;  // 0 to 1
  const double sign = negative ? -1 : 1;
  const double factor = 1 + sign * 0.9 * strength;
  switch (operation) {
    case Operation::kAutoContrast:
      return AutoContrast(picture);
    case Operation::kEqualize:
      return Equalize(picture);
    case Operation::kInvert:
    case Operation::kPosterize:
    case Operation::kSolarize:
    case Operation::kSolarizeAdd:
      return ApplyTable(operation, strength, picture);
    case Operation::kRotate:
      return Rotate(sign * 30 * strength, fill, picture);
    case Operation::kColor:
      return ChangeColor(factor, picture);
    case Operation::kContrast:
      return ChangeContrast(factor, picture);
    case Operation::kBrightness:
      return MapValues(
          [&](int v) { return Blend(0, static_cast<uint8_t>(v), factor); },
          picture);
    case Operation::kSharpness:
      return ChangeSharpness(factor, picture);
    case Operation::kShearX:
      return Warp({1, sign * 0.3 * strength, 0, 0, 1, 0}, fill, picture);
    case Operation::kShearY:
      return Warp({1, 0, 0, sign * 0.3 * strength, 1, 0}, fill, picture);
    case Operation::kTranslateX:
      return Warp({1, 0, sign * 0.45 * strength * picture->cols, 0, 1, 0}, fill,
                  picture);
    case Operation::kTranslateY:
      return Warp({1, 0, 0, 0, 1, sign * 0.45 * strength * picture->rows}, fill,
                  picture);
  }
}

void RandAugment(const RandAugmentSpec& spec, Colour fill, Random* random,
                 cv::Mat* picture) {
  for (int i = 0; i < spec.operations; ++i) {
    const auto operation = static_cast<Operation>(random->Below(kOperations));
    const bool applied = random->Uniform() < 0.5;
    const double level = std::clamp(
        spec.magnitude + spec.deviation * random->Normal(), 0.0, kHighest);
    const bool negative = random->Uniform() < 0.5;
    if (applied) Apply(operation, level, negative, fill, picture);
  }
}

}  // namespace groupmamba::training
