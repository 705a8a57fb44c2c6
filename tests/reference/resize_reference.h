// The resize-and-crop rule, as slowly and plainly as it can be said: every
// value of the result by itself. The oracle of model/image/transform.

#ifndef GROUPMAMBA_TESTS_REFERENCE_RESIZE_REFERENCE_H_
#define GROUPMAMBA_TESTS_REFERENCE_RESIZE_REFERENCE_H_

#include "model/image/transform.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba {

// CV_8UC3 of spec's crop.
cv::Mat ReferenceTransform(const cv::Mat& rgb, const TransformSpec& spec);

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_REFERENCE_RESIZE_REFERENCE_H_
