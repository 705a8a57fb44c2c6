#include "model/image/transform.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/image/resample.h"
#include "model/image/window.h"

namespace groupmamba {
namespace {

constexpr int kMaxSide = 65'500;

bool InRange(int value, int max) { return value >= 1 && value <= max; }

// What ResampleWindow gives for a picture that keeps its size.
void CopyWindow(const cv::Mat& rgb, const TransformSpec& spec, uint8_t* out) {
  const auto top =
      static_cast<int>(CenterCropBegin(rgb.rows, spec.crop_height));
  const auto left =
      static_cast<int>(CenterCropBegin(rgb.cols, spec.crop_width));
  const size_t row_bytes = size_t{3} * spec.crop_width;
  for (int y = 0; y < spec.crop_height; ++y, out += row_bytes) {
    std::memcpy(out, rgb.ptr(top + y, left), row_bytes);
  }
}

// Resized along both axes, rows first.
void Resample(const cv::Mat& rgb, const ResampleAxis& across,
              const ResampleAxis& down, const ResampleKernels& kernels,
              uint8_t* out) {
  cv::Mat narrowed(down.input_end - down.input_begin, across.size(), CV_8UC3);
  for (int y = 0; y < narrowed.rows; ++y) {
    kernels.row(rgb.ptr(down.input_begin + y), rgb.cols, across,
                narrowed.ptr(y));
  }
  const int row_bytes = 3 * across.size();
  for (int y = 0; y < down.size(); ++y, out += row_bytes) {
    kernels.column(narrowed.ptr(down.first[y] - down.input_begin),
                   narrowed.step, row_bytes, down.WeightsOf(y), down.taps[y],
                   out);
  }
}

absl::Status CheckPicture(const cv::Mat& rgb) {
  return rgb.type() == CV_8UC3 && InRange(rgb.rows, kMaxSide) &&
                 InRange(rgb.cols, kMaxSide)
             ? absl::OkStatus()
             : absl::InvalidArgumentError(
                   absl::StrCat("the picture must be 8-bit RGB of 1 to ",
                                kMaxSide, " pixels a side"));
}

// Of a window whose sides are in range.
absl::Status CheckOutput(int height, int width, size_t bytes) {
  return bytes == size_t{3} * static_cast<size_t>(height) * width
             ? absl::OkStatus()
             : absl::InvalidArgumentError(
                   "the output must have 3 bytes for every pixel of the crop");
}

absl::Status Check(const cv::Mat& rgb, const TransformSpec& spec,
                   size_t out_bytes) {
  GM_RETURN_IF_ERROR(CheckPicture(rgb));
  if (!InRange(spec.resize, kMaxSide) ||
      !InRange(spec.crop_height, spec.resize) ||
      !InRange(spec.crop_width, spec.resize)) {
    return absl::InvalidArgumentError(
        absl::StrCat("resize must be 1 to ", kMaxSide,
                     " pixels, and the crop 1 to as many as resize"));
  }
  return CheckOutput(spec.crop_height, spec.crop_width, out_bytes);
}

}  // namespace

ResizedSize ResizeShortSide(int height, int width, int resize) {
  // In floating point and truncated, as torchvision's int(resize * long /
  // short).
  const auto scaled = [resize](int longer, int shorter) {
    return static_cast<int64_t>(static_cast<double>(resize) * longer / shorter);
  };
  if (width <= height) return {scaled(height, width), resize};
  return {resize, scaled(width, height)};
}

int64_t CenterCropBegin(int64_t size, int crop) {
  // nearbyint, unlike round, takes halves to the even neighbour, as Python
  // does.
  return static_cast<int64_t>(
      std::nearbyint(static_cast<double>(size - crop) / 2.0));
}

void ResampleWindow(const cv::Mat& rgb, const TransformSpec& spec,
                    const ResampleKernels& kernels, uint8_t* out) {
  const ResizedSize resized = ResizeShortSide(rgb.rows, rgb.cols, spec.resize);
  const ResampleAxis across = MakeResampleAxis(
      rgb.cols, resized.width, CenterCropBegin(resized.width, spec.crop_width),
      spec.crop_width, spec.filter);
  const ResampleAxis down =
      MakeResampleAxis(rgb.rows, resized.height,
                       CenterCropBegin(resized.height, spec.crop_height),
                       spec.crop_height, spec.filter);
  Resample(rgb, across, down, kernels, out);
}

bool KeepsItsSize(int64_t height, int64_t width, const TransformSpec& spec) {
  return std::min(height, width) == spec.resize;
}

absl::Status TransformImage(const cv::Mat& rgb, const TransformSpec& spec,
                            absl::Span<uint8_t> out) {
  const absl::Status status = Check(rgb, spec, out.size());
  if (!status.ok()) return status;
  if (KeepsItsSize(rgb.rows, rgb.cols, spec)) {
    CopyWindow(rgb, spec, out.data());
    return absl::OkStatus();
  }
  ResampleWindow(rgb, spec, *AvailableResampleKernels().front(), out.data());
  return absl::OkStatus();
}

absl::Status ResizeImage(const cv::Mat& rgb, int height, int width,
                         ResizeFilter filter, absl::Span<uint8_t> out) {
  GM_RETURN_IF_ERROR(CheckPicture(rgb));
  if (!InRange(height, kMaxSide) || !InRange(width, kMaxSide)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the sides must be 1 to ", kMaxSide, " pixels"));
  }
  GM_RETURN_IF_ERROR(CheckOutput(height, width, out.size()));
  Resample(rgb, MakeResampleAxis(rgb.cols, width, 0, width, filter),
           MakeResampleAxis(rgb.rows, height, 0, height, filter),
           *AvailableResampleKernels().front(), out.data());
  return absl::OkStatus();
}

}  // namespace groupmamba
