#include "model/training/pictures.h"

#include <cstddef>

#include "base/status_macros.h"
#include "model/image/transform.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba::training {

absl::StatusOr<Pictures> Enlarge(const FashionData& data,
                                 const InputConfig& input) {
  const TransformSpec spec = {
      .resize = input.resize,
      .crop_height = input.crop,
      .crop_width = input.crop,
      .filter = input.interpolation == Interpolation::kBilinear
                    ? ResizeFilter::kBilinear
                    : ResizeFilter::kBicubic};
  const int64_t size = int64_t{input.crop} * input.crop;
  Pictures pictures{.side = input.crop, .pixels = {}, .labels = data.labels};
  pictures.pixels.resize(data.count() * size);

  cv::Mat rgb(kFashionSide, kFashionSide, CV_8UC3);
  std::vector<uint8_t> enlarged(size * 3);
  for (int64_t i = 0; i < data.count(); ++i) {
    uint8_t* to = rgb.data;
    for (uint8_t value : data.picture(i)) {
      *to++ = value;
      *to++ = value;
      *to++ = value;
    }
    GM_RETURN_IF_ERROR(TransformImage(rgb, spec, absl::MakeSpan(enlarged)));
    for (int64_t p = 0; p < size; ++p) {
      pictures.pixels[i * size + p] = enlarged[3 * p];
    }
  }
  return pictures;
}

}  // namespace groupmamba::training
