#include "model/image/decode.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/image/codec.h"
#include "model/image/exif.h"

namespace groupmamba {
namespace {

enum class Match { kNo, kBeginsSo, kYes };

// Whether the bytes begin with the pattern, in which '?' stands for any byte,
// or are themselves a beginning of it.
Match Compare(absl::Span<const uint8_t> bytes, absl::string_view pattern) {
  const size_t count = std::min(bytes.size(), pattern.size());
  for (size_t i = 0; i < count; ++i) {
    if (pattern[i] != '?' && bytes[i] != static_cast<uint8_t>(pattern[i])) {
      return Match::kNo;
    }
  }
  return count == pattern.size() ? Match::kYes : Match::kBeginsSo;
}

struct Format {
  absl::string_view magic;
  absl::StatusOr<DecodedPicture> (*decode)(absl::Span<const uint8_t>,
                                           const DecodeLimits&, int,
                                           TimeBudget*);
};

constexpr Format kFormats[] = {
    {"\xFF\xD8\xFF", DecodeJpeg},     {"\x89PNG\r\n\x1A\n", DecodePng},
    {"RIFF????WEBPVP8 ", DecodeWebp}, {"RIFF????WEBPVP8L", DecodeWebp},
    {"RIFF????WEBPVP8X", DecodeWebp},
};

absl::StatusOr<DecodedPicture> DecodeByMagic(absl::Span<const uint8_t> bytes,
                                             const DecodeLimits& limits,
                                             int sufficient_side,
                                             TimeBudget* budget) {
  ImageFault fault = ImageFault::kUnknownFormat;
  for (const Format& format : kFormats) {
    const Match match = Compare(bytes, format.magic);
    if (match == Match::kYes) {
      return format.decode(bytes, limits, sufficient_side, budget);
    }
    if (match == Match::kBeginsSo) fault = ImageFault::kTruncated;
  }
  return ImageError(fault);
}

}  // namespace

absl::StatusOr<cv::Mat> DecodeImage(absl::Span<const uint8_t> bytes,
                                    const DecodeLimits& limits,
                                    const TimeSource& clock,
                                    int sufficient_side) {
  if (bytes.empty()) return ImageError(ImageFault::kEmptyImage);
  if (bytes.size() > limits.max_bytes) {
    return ImageError(
        ImageFault::kTooManyBytes,
        absl::StrCat("the file has ", bytes.size(), " bytes; at most ",
                     limits.max_bytes, " are taken"));
  }
  TimeBudget budget(clock, limits.max_time);
  GM_ASSIGN_OR_RETURN(const DecodedPicture picture,
                      DecodeByMagic(bytes, limits, sufficient_side, &budget));
  return TurnUpright(picture.rgb, picture.orientation);
}

}  // namespace groupmamba
