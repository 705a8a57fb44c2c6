#include "model/image/codec.h"

#include "absl/strings/str_cat.h"

namespace groupmamba {
namespace {

struct FaultText {
  ImageFault fault;
  const char* reason;
  const char* sentence;
};

constexpr FaultText kFaultTexts[] = {
    {ImageFault::kEmptyImage, "empty_image", "there are no bytes"},
    {ImageFault::kUnknownFormat, "unknown_format",
     "the bytes are not a JPEG, PNG or WebP picture"},
    {ImageFault::kTruncated, "truncated",
     "the file ends before the picture is complete"},
    {ImageFault::kCorrupt, "corrupt", "the file's data are damaged"},
    {ImageFault::kTooManyBytes, "too_many_bytes", "the file is too long"},
    {ImageFault::kTooManyPixels, "too_many_pixels", "the picture is too large"},
    {ImageFault::kTooComplex, "too_complex",
     "decoding would take too many scans, chunks or too much memory"},
    {ImageFault::kTooSlow, "too_slow",
     "decoding took longer than its time budget"},
    {ImageFault::kAnimated, "animated", "animated pictures are not taken"},
    {ImageFault::kUnsupported, "unsupported",
     "this variant of the format is not supported"},
};

const FaultText& TextOf(ImageFault fault) {
  for (const FaultText& text : kFaultTexts) {
    if (text.fault == fault) return text;
  }
  return kFaultTexts[0];
}

}  // namespace

absl::Status ImageError(ImageFault fault) {
  return ImageError(fault, TextOf(fault).sentence);
}

absl::Status ImageError(ImageFault fault, absl::string_view sentence) {
  return absl::InvalidArgumentError(
      absl::StrCat(TextOf(fault).reason, ": ", sentence));
}

absl::Status CheckSize(int64_t width, int64_t height,
                       const DecodeLimits& limits) {
  if (width < 1 || height < 1) {
    return ImageError(ImageFault::kCorrupt, "the picture has no pixels");
  }
  // No overflow: each codec's sides are at most 32-bit, so the comparison of
  // the sides keeps the product below 2^62.
  if (width > limits.max_side || height > limits.max_side ||
      width * height > limits.max_pixels) {
    return ImageError(
        ImageFault::kTooManyPixels,
        absl::StrCat("the picture is ", width, " x ", height, "; at most ",
                     limits.max_pixels, " pixels are taken, and ",
                     limits.max_side, " a side"));
  }
  return absl::OkStatus();
}

}  // namespace groupmamba
