// Bytes from outside -> an upright 8-bit RGB picture. JPEG, PNG and WebP, told
// apart by their first bytes and handed to libjpeg-turbo, libpng and libwebp
// directly; never to cv::imdecode, which passes unknown bytes to 139 libraries.
//
// What a file claims is checked before anything is allocated for it.
// docs/pictures.md is the reader's page: formats, conversions, limits, reasons.

#ifndef GROUPMAMBA_MODEL_IMAGE_DECODE_H_
#define GROUPMAMBA_MODEL_IMAGE_DECODE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba {

struct DecodeLimits {
  size_t max_bytes = size_t{16} << 20;  // of the file
  int64_t max_pixels = 50'000'000;
  int max_side = 65'500;    // pixels; the longest side that JPEG can have
  int max_scans = 100;      // of a JPEG; encoders write 1 to 20
  int max_chunks = 20'000;  // of a PNG or WebP file
  // What libjpeg may hold beside the picture: the coefficients of a progressive
  // file, 2 bytes for every sample. The other libraries hold at most 4 bytes a
  // pixel.
  size_t max_codec_bytes = size_t{256} << 20;
  // Decoding stops with an error once it took this long by the clock given,
  // except that a lossy WebP can overrun: libwebp cannot be interrupted, and
  // all its pixels may be in one slice of the file. max_pixels bounds that;
  // docs/pictures.md has the worst that was measured.
  Duration max_time = std::chrono::milliseconds(500);
};

// Returns CV_8UC3 in the order R, G, B, EXIF orientation applied; gray and
// palette widened, alpha laid over white, the top byte of 16-bit samples, CMYK
// and YCCK converted as Pillow converts them. Colour profiles and gamma are
// ignored.
//
// `clock` measures the time budget: the CPU time of this thread, normally
// (ThreadCpuClock), so that a busy machine fails nobody.
//
// Errors: INVALID_ARGUMENT. The message is "<reason>: <sentence>", where
// <reason> is one of empty_image, unknown_format, truncated, corrupt,
// too_many_bytes, too_many_pixels, too_complex, too_slow, animated,
// unsupported; it holds safe numbers only, never text of a library.
//
// `sufficient_side`, in pixels: a JPEG may come at a half, a quarter or an
// eighth of its size as long as its short side keeps that many, which saves the
// time that the pixels left out would take; 0: whole. Limits count the pixels
// of the file.
//
// Thread-safe. Holds nothing between calls.
absl::StatusOr<cv::Mat> DecodeImage(absl::Span<const uint8_t> bytes,
                                    const DecodeLimits& limits,
                                    const TimeSource& clock,
                                    int sufficient_side = 0);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_DECODE_H_
