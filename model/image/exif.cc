#include "model/image/exif.h"

#include <cstddef>
#include <cstring>
#include <optional>

#include "opencv2/core.hpp"

namespace groupmamba {
namespace {

constexpr uint16_t kOrientationTag = 0x0112;
constexpr uint16_t kTypeShort = 3;
constexpr size_t kEntryBytes = 12;

// Reads integers of a TIFF structure; nothing outside it.
class TiffReader {
 public:
  TiffReader(absl::Span<const uint8_t> bytes, bool little_endian)
      : bytes_(bytes), little_endian_(little_endian) {}

  std::optional<uint16_t> Short(size_t at) const {
    if (bytes_.size() < 2 || at > bytes_.size() - 2) return std::nullopt;
    const unsigned a = bytes_[at], b = bytes_[at + 1];
    return static_cast<uint16_t>(little_endian_ ? b << 8 | a : a << 8 | b);
  }

  std::optional<uint32_t> Long(size_t at) const {
    const std::optional<uint16_t> a = Short(at), b = Short(at + 2);
    if (!a || !b) return std::nullopt;
    const uint32_t high = little_endian_ ? *b : *a;
    const uint32_t low = little_endian_ ? *a : *b;
    return high << 16 | low;
  }

 private:
  const absl::Span<const uint8_t> bytes_;
  const bool little_endian_;
};

std::optional<int> FindOrientation(const TiffReader& tiff) {
  const std::optional<uint32_t> directory = tiff.Long(4);
  if (!directory) return std::nullopt;
  const std::optional<uint16_t> entries = tiff.Short(*directory);
  if (!entries) return std::nullopt;
  for (size_t i = 0; i < *entries; ++i) {
    // An entry: tag, type (2 bytes each), count (4), the value or its place
    // (4).
    const size_t entry = size_t{*directory} + 2 + i * kEntryBytes;
    const std::optional<uint16_t> tag = tiff.Short(entry);
    if (!tag) return std::nullopt;
    if (*tag != kOrientationTag) continue;
    if (tiff.Short(entry + 2) != kTypeShort || tiff.Long(entry + 4) != 1) {
      return std::nullopt;
    }
    return tiff.Short(entry + 8);
  }
  return std::nullopt;
}

}  // namespace

int ReadExifOrientation(absl::Span<const uint8_t> exif) {
  constexpr char kPrefix[] = {'E', 'x', 'i', 'f', 0, 0};
  if (exif.size() >= sizeof(kPrefix) &&
      std::memcmp(exif.data(), kPrefix, sizeof(kPrefix)) == 0) {
    exif.remove_prefix(sizeof(kPrefix));
  }
  constexpr size_t kHeaderBytes = 8;
  if (exif.size() < kHeaderBytes) return 1;
  const bool little_endian = std::memcmp(exif.data(), "II*\0", 4) == 0;
  if (!little_endian && std::memcmp(exif.data(), "MM\0*", 4) != 0) return 1;
  const int orientation =
      FindOrientation(TiffReader(exif, little_endian)).value_or(1);
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

cv::Mat TurnUpright(const cv::Mat& picture, int orientation) {
  constexpr int kLeftRight = 1, kTopBottom = 0;  // cv::flip's codes
  cv::Mat upright;
  switch (orientation) {
    case 2:
      cv::flip(picture, upright, kLeftRight);
      break;
    case 3:
      cv::rotate(picture, upright, cv::ROTATE_180);
      break;
    case 4:
      cv::flip(picture, upright, kTopBottom);
      break;
    case 5:
      cv::transpose(picture, upright);
      break;
    case 6:
      cv::rotate(picture, upright, cv::ROTATE_90_CLOCKWISE);
      break;
    case 7:  // mirrored at the other diagonal
      cv::transpose(picture, upright);
      cv::rotate(upright, upright, cv::ROTATE_180);
      break;
    case 8:
      cv::rotate(picture, upright, cv::ROTATE_90_COUNTERCLOCKWISE);
      break;
    default:
      return picture;
  }
  return upright;
}

}  // namespace groupmamba
