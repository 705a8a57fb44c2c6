#include "model/training/pictures.h"

#include <chrono>

#include "base/clock.h"
#include "model/image/decode.h"

namespace groupmamba::training {

absl::StatusOr<cv::Mat> DecodeTrusted(absl::Span<const uint8_t> bytes) {
  DecodeLimits limits;
  limits.max_time = std::chrono::seconds(30);
  return DecodeImage(bytes, limits, *ThreadCpuClock::Get());
}

int64_t MaxPictureBytes() {
  return static_cast<int64_t>(DecodeLimits().max_bytes);
}

ResizeFilter FilterOf(const InputConfig& input) {
  return input.interpolation == Interpolation::kBilinear
             ? ResizeFilter::kBilinear
             : ResizeFilter::kBicubic;
}

absl::Status ServedPixels(const cv::Mat& rgb, const InputConfig& input,
                          absl::Span<uint8_t> out) {
  return TransformImage(rgb,
                        {.resize = input.resize,
                         .crop_height = input.crop,
                         .crop_width = input.crop,
                         .filter = FilterOf(input)},
                        out);
}

}  // namespace groupmamba::training
