#include "server/picture.h"

#include <algorithm>
#include <exception>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "opencv2/core/mat.hpp"
#include "server/status_map.h"

namespace groupmamba {
namespace {

absl::StatusOr<cv::Mat> Pixels(const Picture& picture,
                               const DecodeLimits& limits,
                               int sufficient_side) {
  if (picture.kind == Picture::Kind::kFile) {
    return DecodeImage(picture.bytes, limits, *ThreadCpuClock::Get(),
                       sufficient_side);
  }
  // A view of the request's own bytes; cv::Mat knows no const, TransformImage
  // only reads.
  return cv::Mat(static_cast<int>(picture.height),
                 static_cast<int>(picture.width), CV_8UC3,
                 const_cast<uint8_t*>(picture.bytes.data()));
}

}  // namespace

TransformSpec TransformFor(const InputConfig& input) {
  return {.resize = input.resize,
          .crop_height = input.crop,
          .crop_width = input.crop,
          .filter = input.interpolation == Interpolation::kBilinear
                        ? ResizeFilter::kBilinear
                        : ResizeFilter::kBicubic};
}

absl::Status CheckPicture(const Picture& picture, const DecodeLimits& limits) {
  if (picture.kind == Picture::Kind::kNone) return Error(Reason::kNoPicture);
  if (picture.kind == Picture::Kind::kFile) return absl::OkStatus();
  const int64_t width = picture.width;
  const int64_t height = picture.height;
  if (width < 1 || height < 1) {
    return Error(Reason::kBadShape, "width and height must be at least 1");
  }
  // Sides are at most 2^32, so the product below cannot overflow.
  if (width > limits.max_side || height > limits.max_side ||
      width * height > limits.max_pixels) {
    return Error(Reason::kTooManyPixels);
  }
  if (static_cast<int64_t>(picture.bytes.size()) != 3 * width * height) {
    return Error(Reason::kBadShape, "rgb must hold 3 * width * height bytes");
  }
  return absl::OkStatus();
}

bool IsReady(const Picture& picture, const TransformSpec& spec) {
  return picture.kind == Picture::Kind::kPixels &&
         KeepsItsSize(picture.height, picture.width, spec);
}

absl::Status PreparePicture(const Picture& picture, const DecodeLimits& limits,
                            int jpeg_oversampling, const TransformSpec& spec,
                            absl::Span<uint8_t> out) {
  // The picture's size is the client's choice, so that memory may run out here
  // and must not take the server along.
  try {
    if (picture.kind == Picture::Kind::kModelInput) {
      if (picture.bytes.size() != out.size()) return Error(Reason::kBadShape);
      std::copy(picture.bytes.begin(), picture.bytes.end(), out.begin());
      return absl::OkStatus();
    }
    GM_ASSIGN_OR_RETURN(
        const cv::Mat rgb,
        Pixels(picture, limits, jpeg_oversampling * spec.resize));
    return TransformImage(rgb, spec, out);
  } catch (const std::exception& e) {
    Log(LogLevel::kError, "decoding failed", {{"what", e.what()}});
    return Error(Reason::kInternal);
  }
}

}  // namespace groupmamba
