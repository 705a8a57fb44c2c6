// Resize (short side), antialiased, then cut out the middle: what Pillow and
// torchvision do on 8-bit pictures, value for value (fixed point, separable, two
// passes; only the window that is cut out is computed).

#ifndef GROUPMAMBA_MODEL_IMAGE_TRANSFORM_H_
#define GROUPMAMBA_MODEL_IMAGE_TRANSFORM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba {

enum class ResizeFilter { kBilinear, kBicubic };

struct TransformSpec {
  int resize = 0;       // the short side becomes this long, in pixels
  int crop_height = 0;  // of the window, in pixels; at most `resize`
  int crop_width = 0;
  ResizeFilter filter = ResizeFilter::kBicubic;
};

// `rgb` is CV_8UC3, at least 1x1. Writes crop_height * crop_width * 3 bytes, row by
// row, to `out`, which must have just that size.
// Errors: INVALID_ARGUMENT, a size is out of range.
absl::Status TransformImage(const cv::Mat& rgb, const TransformSpec& spec,
                            absl::Span<uint8_t> out);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_TRANSFORM_H_
