// Where the window that is cut out lies in the resized picture, by
// torchvision's rules. Private to model/image.

#ifndef GROUPMAMBA_MODEL_IMAGE_WINDOW_H_
#define GROUPMAMBA_MODEL_IMAGE_WINDOW_H_

#include <cstdint>

#include "model/image/resample.h"
#include "model/image/transform.h"

namespace groupmamba {

struct ResizedSize {
  int64_t height = 0;
  int64_t width = 0;
};

// The short side becomes `resize` long.
ResizedSize ResizeShortSide(int height, int width, int resize);

// Where a window of `crop` begins that is cut from the middle of `size`.
int64_t CenterCropBegin(int64_t size, int crop);

// TransformImage() with the kernels given; everything was checked.
void ResampleWindow(const cv::Mat& rgb, const TransformSpec& spec,
                    const ResampleKernels& kernels, uint8_t* out);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_WINDOW_H_
