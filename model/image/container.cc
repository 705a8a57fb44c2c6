#include "model/image/container.h"

#include <cstring>

#include "model/image/codec.h"

namespace groupmamba {
namespace {

uint32_t BigEndian(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 |
         p[3];
}

uint32_t LittleEndian(const uint8_t* p) {
  return uint32_t{p[3]} << 24 | uint32_t{p[2]} << 16 | uint32_t{p[1]} << 8 |
         p[0];
}

bool IsType(const uint8_t* p, const char* type) {
  return std::memcmp(p, type, 4) == 0;
}

}  // namespace

// A chunk: length of the data (big-endian), type, data, checksum; 4 bytes each.
absl::StatusOr<ImageOutline> OutlinePng(absl::Span<const uint8_t> bytes,
                                        int max_chunks) {
  constexpr size_t kSignature = 8, kFrame = 12;
  ImageOutline outline;
  size_t at = kSignature;
  for (int chunk = 0; chunk < max_chunks; ++chunk) {
    if (bytes.size() < at + kFrame) return ImageError(ImageFault::kTruncated);
    const size_t length = BigEndian(&bytes[at]);
    const uint8_t* type = &bytes[at + 4];
    if (length > bytes.size() - at - kFrame) {
      return ImageError(ImageFault::kTruncated);
    }
    if (chunk == 0) {
      if (!IsType(type, "IHDR") || length != 13) {
        return ImageError(ImageFault::kCorrupt);
      }
      outline.width = BigEndian(&bytes[at + 8]);
      outline.height = BigEndian(&bytes[at + 12]);
    }
    if (IsType(type, "acTL")) outline.animated = true;
    if (IsType(type, "eXIf")) outline.exif = bytes.subspan(at + 8, length);
    at += kFrame + length;
    if (IsType(type, "IEND")) {
      outline.size = at;
      return outline;
    }
  }
  return ImageError(ImageFault::kTooComplex);
}

// "RIFF", length of all that follows (little-endian), "WEBP", then chunks:
// type, length, data, a byte of padding where the length is odd.
absl::StatusOr<ImageOutline> OutlineWebp(absl::Span<const uint8_t> bytes,
                                         int max_chunks) {
  constexpr size_t kFileFrame = 8, kFileHeader = 12, kFrame = 8;
  if (bytes.size() < kFileHeader) return ImageError(ImageFault::kTruncated);
  ImageOutline outline;
  outline.size = kFileFrame + LittleEndian(&bytes[4]);
  if (outline.size > bytes.size()) return ImageError(ImageFault::kTruncated);
  size_t at = kFileHeader;
  for (int chunk = 0; at + kFrame <= outline.size; ++chunk) {
    if (chunk >= max_chunks) return ImageError(ImageFault::kTooComplex);
    const uint8_t* type = &bytes[at];
    const size_t length = LittleEndian(&bytes[at + 4]);
    if (length > outline.size - at - kFrame) {
      return ImageError(ImageFault::kCorrupt);
    }
    if (IsType(type, "ANIM") || IsType(type, "ANMF")) outline.animated = true;
    if (IsType(type, "EXIF")) outline.exif = bytes.subspan(at + kFrame, length);
    at += kFrame + length + length % 2;
  }
  return outline;
}

}  // namespace groupmamba
