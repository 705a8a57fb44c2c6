// WebP by libwebp.

#include <webp/decode.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status_macros.h"
#include "model/image/codec.h"
#include "model/image/container.h"
#include "model/image/exif.h"
#include "model/image/pixels.h"

namespace groupmamba {
namespace {

absl::Status ToStatus(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_OK:
      return absl::OkStatus();
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return ImageError(ImageFault::kTruncated);
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return ImageError(ImageFault::kUnsupported);
    case VP8_STATUS_OUT_OF_MEMORY:
      return ImageError(ImageFault::kTooComplex);
    default:
      return ImageError(ImageFault::kCorrupt);
  }
}

// Decodes into `out`, CV_8UC3 or CV_8UC4 of the picture's size. libwebp cannot
// be interrupted, so it gets the file in slices with a look at the clock
// between them.
absl::Status DecodeInto(absl::Span<const uint8_t> bytes, TimeBudget* budget,
                        cv::Mat* out) {
  WebPDecBuffer buffer;
  WebPInitDecBuffer(&buffer);
  buffer.colorspace = out->channels() == 4 ? MODE_RGBA : MODE_RGB;
  buffer.is_external_memory = 1;
  buffer.u.RGBA = {out->data, static_cast<int>(out->step),
                   out->step * static_cast<size_t>(out->rows)};
  const std::unique_ptr<WebPIDecoder, decltype(&WebPIDelete)> decoder(
      WebPINewDecoder(&buffer), &WebPIDelete);
  if (decoder == nullptr) return ImageError(ImageFault::kTooComplex);

  constexpr size_t kSlices = 64, kMinSliceBytes = 256;
  const size_t slice = std::max(kMinSliceBytes, bytes.size() / kSlices);
  VP8StatusCode code = VP8_STATUS_SUSPENDED;
  for (size_t end = 0; code == VP8_STATUS_SUSPENDED && end < bytes.size();) {
    if (budget->Over()) return ImageError(ImageFault::kTooSlow);
    end = std::min(end + slice, bytes.size());
    code = WebPIUpdate(decoder.get(), bytes.data(), end);
  }
  return ToStatus(code);
}

}  // namespace

absl::StatusOr<DecodedPicture> DecodeWebp(absl::Span<const uint8_t> bytes,
                                          const DecodeLimits& limits,
                                          int /*sufficient_side*/,
                                          TimeBudget* budget) {
  GM_ASSIGN_OR_RETURN(const ImageOutline outline,
                      OutlineWebp(bytes, limits.max_chunks));
  bytes = bytes.first(outline.size);
  WebPBitstreamFeatures features;
  GM_RETURN_IF_ERROR(
      ToStatus(WebPGetFeatures(bytes.data(), bytes.size(), &features)));
  if (outline.animated || features.has_animation) {
    return ImageError(ImageFault::kAnimated);
  }
  GM_RETURN_IF_ERROR(CheckSize(features.width, features.height, limits));

  DecodedPicture picture;
  picture.orientation = ReadExifOrientation(outline.exif);
  picture.rgb.create(features.height, features.width, CV_8UC3);
  if (!features.has_alpha) {
    GM_RETURN_IF_ERROR(DecodeInto(bytes, budget, &picture.rgb));
    return picture;
  }
  cv::Mat rgba(features.height, features.width, CV_8UC4);
  GM_RETURN_IF_ERROR(DecodeInto(bytes, budget, &rgba));
  for (int y = 0; y < rgba.rows; ++y) {
    LayOverWhite(rgba.ptr(y), rgba.cols, picture.rgb.ptr(y));
  }
  return picture;
}

}  // namespace groupmamba
