#include "model/training/augment.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/status_macros.h"
#include "model/training/pictures.h"

namespace groupmamba::training {
namespace {

constexpr int kAttempts = 10;  // to find a rectangle that fits

// Uniform in [-reach, reach].
int Offset(Random* random, int reach) {
  return static_cast<int>(random->Below(2 * reach + 1)) - reach;
}

// Height and width of a rectangle of that area whose height over width is
// uniform on a logarithmic scale.
cv::Size RandomShape(double area, double flattest, Random* random) {
  const double ratio =
      std::exp(random->Between(std::log(flattest), std::log(1 / flattest)));
  return {static_cast<int>(std::lround(std::sqrt(area / ratio))),
          static_cast<int>(std::lround(std::sqrt(area * ratio)))};
}

// A rectangle of that shape, anywhere within height times width.
cv::Rect Placed(cv::Size shape, int height, int width, Random* random) {
  const auto top = static_cast<int>(random->Below(height - shape.height + 1));
  const auto left = static_cast<int>(random->Below(width - shape.width + 1));
  return {left, top, shape.width, shape.height};
}

cv::Mat FlippedAndShifted(bool flip, int dy, int dx, const cv::Mat& in) {
  const int side = in.rows;
  cv::Mat out(side, side, CV_8UC3);
  for (int y = 0; y < side; ++y) {
    uint8_t* to = out.ptr(y);
    const int from_y = y - dy;
    for (int x = 0; x < side; ++x, to += 3) {
      const int from_x = (flip ? side - 1 - x : x) - dx;
      const bool inside =
          from_y >= 0 && from_y < side && from_x >= 0 && from_x < side;
      if (inside) {
        std::copy_n(in.ptr(from_y, from_x), 3, to);
      } else {
        std::fill_n(to, 3, uint8_t{0});
      }
    }
  }
  return out;
}

void CutOut(int cutout_side, Random* random, cv::Mat* picture) {
  const int side = picture->rows;
  const int top = static_cast<int>(random->Below(side)) - cutout_side / 2;
  const int left = static_cast<int>(random->Below(side)) - cutout_side / 2;
  const cv::Rect square(left, top, cutout_side, cutout_side);
  (*picture)(square & cv::Rect(0, 0, side, side)) = cv::Scalar();
}

void Erase(const InputConfig& input, Random* random, cv::Mat* picture) {
  const int side = picture->rows;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double area = random->Between(0.02, 1.0 / 3) * side * side;
    const cv::Size shape = RandomShape(area, 0.3, random);
    if (shape.height >= side || shape.width >= side) continue;
    const cv::Rect box = Placed(shape, side, side, random);
    for (int y = box.y; y < box.y + box.height; ++y) {
      uint8_t* row = picture->ptr(y, box.x);
      for (int i = 0; i < 3 * box.width; ++i) {
        const double value =
            255 * (input.mean[i % 3] + input.std[i % 3] * random->Normal());
        row[i] =
            static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
      }
    }
    return;
  }
}

// The mean that pictures are normalised with, as a colour.
Colour MeanColour(const InputConfig& input) {
  Colour colour;
  for (int c = 0; c < 3; ++c) {
    colour[c] = static_cast<uint8_t>(
        std::lround(std::clamp(255 * input.mean[c], 0.0f, 255.0f)));
  }
  return colour;
}

}  // namespace

cv::Rect RandomCrop(double smallest, int height, int width, Random* random) {
  const double area = static_cast<double>(height) * width;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const cv::Size shape =
        RandomShape(random->Between(smallest, 1) * area, 3.0 / 4, random);
    if (shape.height >= 1 && shape.width >= 1 && shape.height <= height &&
        shape.width <= width) {
      return Placed(shape, height, width, random);
    }
  }
  // The middle, as near to whole as the proportions allow.
  const int tall = std::min(height, std::max(1, width * 4 / 3));
  const int wide = std::min(width, std::max(1, height * 4 / 3));
  return {(width - wide) / 2, (height - tall) / 2, wide, tall};
}

absl::Status Augment(const AugmentSpec& spec, const InputConfig& input,
                     Random random, const cv::Mat& rgb,
                     absl::Span<uint8_t> out) {
  if (spec.smallest_crop < 1) {
    const cv::Rect part =
        RandomCrop(spec.smallest_crop, rgb.rows, rgb.cols, &random);
    GM_RETURN_IF_ERROR(
        ResizeImage(rgb(part), input.crop, input.crop, FilterOf(input), out));
  } else {
    GM_RETURN_IF_ERROR(ServedPixels(rgb, input, out));
  }
  const bool flip = random.Uniform() < 0.5 && spec.flip;
  const int dy = Offset(&random, spec.shift);
  const int dx = Offset(&random, spec.shift);
  cv::Mat picture = FlippedAndShifted(
      flip, dy, dx, cv::Mat(input.crop, input.crop, CV_8UC3, out.data()));
  RandAugment(spec.random, MeanColour(input), &random, &picture);
  if (random.Uniform() < spec.cutout_probability) {
    CutOut(spec.cutout_side, &random, &picture);
  }
  if (random.Uniform() < spec.erase_probability) {
    Erase(input, &random, &picture);
  }
  std::copy_n(picture.data, out.size(), out.data());
  return absl::OkStatus();
}

std::vector<int32_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t count) {
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  Random random({seed, static_cast<uint64_t>(epoch)});
  for (int64_t i = count - 1; i > 0; --i) {
    std::swap(order[i], order[random.Below(i + 1)]);
  }
  return order;
}

}  // namespace groupmamba::training
