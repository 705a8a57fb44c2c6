// PNG by libpng. Of the chunks only those that hold the picture are looked at;
// checksums are compared for all.

#include <png.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/status_macros.h"
#include "model/image/c_call_guard.h"
#include "model/image/codec.h"
#include "model/image/container.h"
#include "model/image/exif.h"
#include "model/image/pixels.h"

namespace groupmamba {
namespace {

class PngDecoder {
 public:
  PngDecoder(absl::Span<const uint8_t> bytes, const DecodeLimits& limits,
             TimeBudget* budget)
      : unread_(bytes), limits_(limits), budget_(budget) {}
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  // The picture as stored.
  absl::StatusOr<cv::Mat> Decode() {
    GM_RETURN_IF_ERROR(guard_.Run([this] { ReadHeader(); }));
    const int width = static_cast<int>(png_get_image_width(png_, info_));
    const int height = static_cast<int>(png_get_image_height(png_, info_));
    cv::Mat rgb(height, width, CV_8UC3);
    // With alpha, a row at a time is flattened into `rgb`; the passes of an
    // interlaced file add to each other's rows, which must all be kept for
    // them.
    cv::Mat rgba;
    if (png_get_channels(png_, info_) == 4) {
      rgba.create(passes_ > 1 ? height : 1, width, CV_8UC4);
    }
    GM_RETURN_IF_ERROR(guard_.Run([&] { ReadRows(&rgb, &rgba); }));
    return rgb;
  }

 private:
  // Callbacks of libpng.
  static void OnError(png_structp png, png_const_charp) {
    static_cast<PngDecoder*>(png_get_error_ptr(png))
        ->guard_.Abandon(ImageFault::kCorrupt);
  }
  static void IgnoreWarning(png_structp, png_const_charp) {}
  static void OnRead(png_structp png, png_bytep out, size_t size) {
    static_cast<PngDecoder*>(png_get_io_ptr(png))->Read(out, size);
  }

  // Here, and not only between rows, the budget is checked too: data after the
  // last row are inflated, and thrown away, within one call of libpng.
  void Read(png_bytep out, size_t size) {
    constexpr int64_t kWorkPerByte = 16;
    if (size > unread_.size()) guard_.Abandon(ImageFault::kTruncated);
    CheckBudget(static_cast<int64_t>(size) * kWorkPerByte);
    std::memcpy(out, unread_.data(), size);
    unread_.remove_prefix(size);
  }

  void CheckBudget(int64_t work) {
    if (budget_->OverAfter(work)) guard_.Abandon(ImageFault::kTooSlow);
  }

  // Leaves libpng set up to give RGB, or RGBA where there is transparency, 8
  // bits a sample.
  void ReadHeader() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, OnError,
                                  IgnoreWarning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) guard_.Abandon(ImageFault::kTooComplex);
    png_set_read_fn(png_, this, OnRead);
    const auto max_side = static_cast<png_uint_32>(limits_.max_side);
    png_set_user_limits(png_, max_side, max_side);
    png_set_chunk_cache_max(png_, static_cast<png_uint_32>(limits_.max_chunks));
    png_set_chunk_malloc_max(png_, limits_.max_bytes);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    // -1: every chunk that is not needed for the pixels (texts, profiles,
    // gamma); none is inflated or stored.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
    png_set_expand(png_);    // palette, gray of 1 to 4 bits, tRNS
    png_set_strip_16(png_);  // the top byte
    png_set_gray_to_rgb(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  // `rgba` is empty without transparency, else of one row or of all.
  void ReadRows(cv::Mat* rgb, cv::Mat* rgba) {
    for (int pass = 1; pass <= passes_; ++pass) {
      for (int y = 0; y < rgb->rows; ++y) {
        CheckBudget(rgb->cols);
        if (rgba->data == nullptr) {
          png_read_row(png_, rgb->ptr(y), nullptr);
          continue;
        }
        uint8_t* row = rgba->ptr(rgba->rows > 1 ? y : 0);
        png_read_row(png_, row, nullptr);
        if (pass == passes_) LayOverWhite(row, rgb->cols, rgb->ptr(y));
      }
    }
    png_read_end(png_, nullptr);
  }

  absl::Span<const uint8_t> unread_;
  const DecodeLimits& limits_;
  TimeBudget* const budget_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  CCallGuard guard_;
};

}  // namespace

absl::StatusOr<DecodedPicture> DecodePng(absl::Span<const uint8_t> bytes,
                                         const DecodeLimits& limits,
                                         int /*sufficient_side*/,
                                         TimeBudget* budget) {
  GM_ASSIGN_OR_RETURN(const ImageOutline outline,
                      OutlinePng(bytes, limits.max_chunks));
  GM_RETURN_IF_ERROR(CheckSize(outline.width, outline.height, limits));
  if (outline.animated) return ImageError(ImageFault::kAnimated);
  DecodedPicture picture;
  picture.orientation = ReadExifOrientation(outline.exif);
  GM_ASSIGN_OR_RETURN(
      picture.rgb,
      PngDecoder(bytes.first(outline.size), limits, budget).Decode());
  return picture;
}

}  // namespace groupmamba
