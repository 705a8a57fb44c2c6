// Resize (short side), antialiased, then cut out the middle: what Pillow and
// torchvision do on 8-bit pictures, value for value (fixed point, separable,
// two passes; only the window that is cut out is computed).

#ifndef GROUPMAMBA_MODEL_IMAGE_TRANSFORM_H_
#define GROUPMAMBA_MODEL_IMAGE_TRANSFORM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba {

enum class ResizeFilter { kBilinear, kBicubic };

struct TransformSpec {
  // The short side becomes this long, in pixels, 1 to 65,500; the long side
  // int(resize * long / short), as in torchvision.
  int resize = 0;
  // Of the window, in pixels, 1 to `resize`. It begins at round((size - crop) /
  // 2) of the resized picture, halves to even, as in torchvision.
  int crop_height = 0;
  int crop_width = 0;
  ResizeFilter filter = ResizeFilter::kBicubic;
};

// Whether a picture of that size is not resized, only cropped: then
// transforming it is no more than a copy.
bool KeepsItsSize(int64_t height, int64_t width, const TransformSpec& spec);

// `rgb` is CV_8UC3, at least 1x1 and at most 65,500 a side. Writes crop_height
// * crop_width * 3 bytes, row by row, to `out`, which must have just that size.
// Allocates memory in proportion to the window and to the input rows beneath
// it, whatever the size of the resized picture. Thread-safe. Errors:
// INVALID_ARGUMENT, a size is out of range.
absl::Status TransformImage(const cv::Mat& rgb, const TransformSpec& spec,
                            absl::Span<uint8_t> out);

// All of `rgb`, which may be a region of a larger picture, resized to `height`
// times `width`, its proportions kept or not: what training makes of a part of
// a picture. Sizes, output and errors as above.
absl::Status ResizeImage(const cv::Mat& rgb, int height, int width,
                         ResizeFilter filter, absl::Span<uint8_t> out);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_TRANSFORM_H_
