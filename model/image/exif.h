// The orientation that a camera wrote into a picture's EXIF data. Private to
// model/image.

#ifndef GROUPMAMBA_MODEL_IMAGE_EXIF_H_
#define GROUPMAMBA_MODEL_IMAGE_EXIF_H_

#include <cstdint>

#include "absl/types/span.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba {

// `exif`: a TIFF structure, with or without "Exif\0\0" before it; any bytes at
// all. Returns the orientation of the first image directory (tag 0x0112, one
// SHORT from 1 to 8), and 1, upright, where there is none or the data are
// damaged: a picture is never refused for its EXIF.
int ReadExifOrientation(absl::Span<const uint8_t> exif);

// Turns and mirrors a picture that was stored with that orientation, 1 to 8, so
// that it stands upright. Copies, except for 1.
cv::Mat TurnUpright(const cv::Mat& picture, int orientation);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_EXIF_H_
