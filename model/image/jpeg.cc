// JPEG by libjpeg-turbo, with its default settings (accurate DCT, smooth
// upsampling), which are Pillow's: the pixels equal Pillow's to the bit.

// jpeglib.h needs cstdio before it, jerror.h needs jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/status_macros.h"
#include "model/image/c_call_guard.h"
#include "model/image/codec.h"
#include "model/image/exif.h"
#include "model/image/pixels.h"

namespace groupmamba {
namespace {

// The warnings of libjpeg, all of them. It would go on after each; we do where
// cameras and old programs are known to cause it and the picture is whole.
// docs/pictures.md explains each.
struct Warning {
  int code;
  bool tolerated;
  ImageFault fault;  // otherwise
};
constexpr Warning kWarnings[] = {
    {JWRN_ADOBE_XFORM, true, {}},
    {JWRN_BOGUS_ICC, true, {}},
    {JWRN_EXTRANEOUS_DATA, true, {}},  // up to kMaxExtraneousBytes at a place
    {JWRN_JFIF_MAJOR, true, {}},
    {JWRN_NOT_SEQUENTIAL, true, {}},
    {JWRN_ARITH_BAD_CODE, false, ImageFault::kCorrupt},
    {JWRN_BOGUS_PROGRESSION, false, ImageFault::kCorrupt},
    {JWRN_HIT_MARKER, false, ImageFault::kCorrupt},
    {JWRN_HUFF_BAD_CODE, false, ImageFault::kCorrupt},
    {JWRN_JPEG_EOF, false, ImageFault::kTruncated},
    {JWRN_MUST_RESYNC, false, ImageFault::kCorrupt},
    {JWRN_TOO_MUCH_DATA, false, ImageFault::kCorrupt},
};

// Padding between segments is short; more is a scan that ended too early.
constexpr int kMaxExtraneousBytes = 4096;

// Errors of libjpeg that are not plain damage.
struct Error {
  int code;
  ImageFault fault;
};
constexpr Error kErrors[] = {
    {JERR_ARITH_NOTIMPL, ImageFault::kUnsupported},
    {JERR_BAD_PRECISION, ImageFault::kUnsupported},
    {JERR_CCIR601_NOTIMPL, ImageFault::kUnsupported},
    {JERR_COMPONENT_COUNT, ImageFault::kUnsupported},
    {JERR_CONVERSION_NOTIMPL, ImageFault::kUnsupported},
    {JERR_FRACT_SAMPLE_NOTIMPL, ImageFault::kUnsupported},
    {JERR_NOTIMPL, ImageFault::kUnsupported},
    {JERR_SOF_UNSUPPORTED, ImageFault::kUnsupported},
    {JERR_IMAGE_TOO_BIG, ImageFault::kTooManyPixels},
    {JERR_NO_BACKING_STORE, ImageFault::kTooComplex},  // over max_memory_to_use
    {JERR_OUT_OF_MEMORY, ImageFault::kTooComplex},
    {JERR_WIDTH_OVERFLOW, ImageFault::kTooComplex},
};

class JpegDecoder {
 public:
  JpegDecoder(absl::Span<const uint8_t> bytes, const DecodeLimits& limits,
              int sufficient_side, TimeBudget* budget)
      : bytes_(bytes),
        limits_(limits),
        sufficient_side_(sufficient_side),
        budget_(budget) {}
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  absl::StatusOr<DecodedPicture> Decode() {
    GM_RETURN_IF_ERROR(guard_.Run([this] { ReadHeader(); }));
    GM_RETURN_IF_ERROR(
        CheckSize(info_.image_width, info_.image_height, limits_));
    if (info_.num_components == 2 || info_.num_components > 4) {
      return ImageError(ImageFault::kUnsupported);
    }
    GM_RETURN_IF_ERROR(guard_.Run([this] { ChooseScale(); }));
    const int width = static_cast<int>(info_.output_width);
    const int height = static_cast<int>(info_.output_height);
    DecodedPicture picture;
    picture.orientation = Orientation();
    picture.rgb.create(height, width, CV_8UC3);
    cv::Mat cmyk;
    if (info_.num_components == 4) cmyk.create(1, width, CV_8UC4);
    GM_RETURN_IF_ERROR(guard_.Run([&] { ReadRows(&picture.rgb, cmyk.data); }));
    return picture;
  }

 private:
  static JpegDecoder* Self(j_common_ptr info) {
    return static_cast<JpegDecoder*>(info->client_data);
  }

  // Callbacks of libjpeg: what it calls for an error, a warning or a trace
  // (level -1 or more), and between its steps.
  static void OnError(j_common_ptr info) {
    for (const Error& error : kErrors) {
      if (error.code == info->err->msg_code) Self(info)->Abandon(error.fault);
    }
    Self(info)->Abandon(ImageFault::kCorrupt);
  }
  static void OnMessage(j_common_ptr info, int level) {
    if (level >= 0) return;
    const jpeg_error_mgr& message = *info->err;
    const auto* warning = std::find_if(
        std::begin(kWarnings), std::end(kWarnings),
        [&](const Warning& w) { return w.code == message.msg_code; });
    if (warning == std::end(kWarnings)) {
      Self(info)->Abandon(ImageFault::kCorrupt);
    }
    if (!warning->tolerated) Self(info)->Abandon(warning->fault);
    if (warning->code == JWRN_EXTRANEOUS_DATA &&
        message.msg_parm.i[0] > kMaxExtraneousBytes) {
      Self(info)->Abandon(ImageFault::kCorrupt);
    }
  }
  static void OnProgress(j_common_ptr info) { Self(info)->CheckProgress(); }
  static void IgnoreText(j_common_ptr) {}

  [[noreturn]] void Abandon(ImageFault fault) { guard_.Abandon(fault); }

  // Called by libjpeg before every row of blocks that it reads of a file with
  // several scans, and for every row of pixels that it gives.
  void CheckProgress() {
    if (info_.input_scan_number > limits_.max_scans) {
      Abandon(ImageFault::kTooComplex);
    }
    if (budget_->OverAfter(info_.image_width)) Abandon(ImageFault::kTooSlow);
  }

  void ReadHeader() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = OnError;
    errors_.emit_message = OnMessage;
    errors_.output_message = IgnoreText;
    info_.client_data = this;
    jpeg_create_decompress(&info_);
    info_.mem->max_memory_to_use = static_cast<long>(limits_.max_codec_bytes);
    progress_.progress_monitor = OnProgress;
    info_.progress = &progress_;
    jpeg_mem_src(&info_, bytes_.data(), bytes_.size());
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
    if (budget_->Over()) Abandon(ImageFault::kTooSlow);
  }

  // Sets the output's size: libjpeg leaves frequencies out, of which each block
  // of 8x8 then gives 4x4, 2x2 or one pixel.
  void ChooseScale() {
    const int64_t side = std::min(info_.image_width, info_.image_height);
    info_.scale_num = 1;
    info_.scale_denom = 1;
    while (sufficient_side_ > 0 && info_.scale_denom < 8 &&
           side >= int64_t{2} * info_.scale_denom * sufficient_side_) {
      info_.scale_denom *= 2;
    }
    jpeg_calc_output_dimensions(&info_);
  }

  // Of the first EXIF marker; 1 without any.
  int Orientation() const {
    for (const jpeg_marker_struct* marker = info_.marker_list;
         marker != nullptr; marker = marker->next) {
      if (marker->data_length >= 6 &&
          std::memcmp(marker->data, "Exif\0", 5) == 0) {
        return ReadExifOrientation({marker->data, marker->data_length});
      }
    }
    return 1;
  }

  // `cmyk`: room for a row of four samples a pixel; null unless the file has
  // four.
  void ReadRows(cv::Mat* rgb, uint8_t* cmyk) {
    info_.out_color_space = cmyk == nullptr ? JCS_RGB : JCS_CMYK;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      uint8_t* out = rgb->ptr(static_cast<int>(info_.output_scanline));
      JSAMPROW row = cmyk == nullptr ? out : cmyk;
      jpeg_read_scanlines(&info_, &row, 1);
      if (cmyk != nullptr) InvertedCmykToRgb(cmyk, rgb->cols, out);
    }
    // Reads on to the end marker: a file without it is truncated.
    jpeg_finish_decompress(&info_);
  }

  const absl::Span<const uint8_t> bytes_;
  const DecodeLimits& limits_;
  const int sufficient_side_;
  TimeBudget* const budget_;
  jpeg_decompress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_progress_mgr progress_ = {};
  CCallGuard guard_;
};

}  // namespace

absl::StatusOr<DecodedPicture> DecodeJpeg(absl::Span<const uint8_t> bytes,
                                          const DecodeLimits& limits,
                                          int sufficient_side,
                                          TimeBudget* budget) {
  return JpegDecoder(bytes, limits, sufficient_side, budget).Decode();
}

}  // namespace groupmamba
