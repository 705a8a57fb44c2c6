// What the three codecs share: their shape, the reasons for which a picture is
// refused, the check of a claimed size, and the time budget. Private to
// model/image.

#ifndef GROUPMAMBA_MODEL_IMAGE_CODEC_H_
#define GROUPMAMBA_MODEL_IMAGE_CODEC_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "model/image/decode.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba {

enum class ImageFault {
  kEmptyImage,
  kUnknownFormat,
  kTruncated,
  kCorrupt,
  kTooManyBytes,
  kTooManyPixels,
  kTooComplex,
  kTooSlow,
  kAnimated,
  kUnsupported,
};

// INVALID_ARGUMENT "<reason>: <sentence>"; without a sentence, the fault's own.
absl::Status ImageError(ImageFault fault);
absl::Status ImageError(ImageFault fault, absl::string_view sentence);

// OK when a picture of that size may be decoded: no side is zero or longer than
// limits.max_side, and the area is at most limits.max_pixels.
absl::Status CheckSize(int64_t width, int64_t height,
                       const DecodeLimits& limits);

// How much time is left for a picture; begins when it is made. One thread's.
class TimeBudget {
 public:
  // `clock` must outlive the budget.
  TimeBudget(const TimeSource& clock, Duration time)
      : clock_(clock), end_(clock.Now() + time) {}

  bool Over() const { return clock_.Now() > end_; }

  // The same for loops with short steps: reads the clock, which costs a system
  // call, only once in a while. `work`: pixels or bytes of this step.
  bool OverAfter(int64_t work) {
    unread_work_ += work;
    if (unread_work_ < kWorkPerReading) return false;
    unread_work_ = 0;
    return Over();
  }

 private:
  // Well under a millisecond of any codec here.
  static constexpr int64_t kWorkPerReading = 32'768;

  const TimeSource& clock_;
  const TimePoint end_;
  int64_t unread_work_ = 0;
};

struct DecodedPicture {
  cv::Mat rgb;          // CV_8UC3, as stored in the file
  int orientation = 1;  // EXIF's, 1 to 8
};

// The bytes begin with the format's magic and are within limits.max_bytes. The
// other arguments are DecodeImage's; JPEG alone can be scaled.
absl::StatusOr<DecodedPicture> DecodeJpeg(absl::Span<const uint8_t> bytes,
                                          const DecodeLimits& limits,
                                          int sufficient_side,
                                          TimeBudget* budget);
absl::StatusOr<DecodedPicture> DecodePng(absl::Span<const uint8_t> bytes,
                                         const DecodeLimits& limits,
                                         int sufficient_side,
                                         TimeBudget* budget);
absl::StatusOr<DecodedPicture> DecodeWebp(absl::Span<const uint8_t> bytes,
                                          const DecodeLimits& limits,
                                          int sufficient_side,
                                          TimeBudget* budget);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_CODEC_H_
