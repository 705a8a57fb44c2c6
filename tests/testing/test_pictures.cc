#include "tests/testing/test_pictures.h"

#include <png.h>
#include <zlib.h>

#include <vector>

namespace groupmamba {
namespace {

constexpr size_t kHeader = 12;  // "IHDR": after the signature and a length
constexpr size_t kHeaderBytes = 4 + 13;

void PutBigEndian(uint32_t value, size_t at, std::string* out) {
  for (size_t i = 0; i < 4; ++i) {
    (*out)[at + i] = static_cast<char>(value >> (24 - 8 * i));
  }
}

}  // namespace

std::string MakePng(int width, int height, int seed) {
  std::vector<uint8_t> pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        pixels.push_back(static_cast<uint8_t>(x * (c + 1) + y * 2 + seed * 37));
      }
    }
  }
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  png_image_write_get_memory_size(image, size, 0, pixels.data(), 0, nullptr);
  std::string file(size, '\0');
  png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0,
                            nullptr);
  file.resize(size);
  return file;
}

std::string WithPngSize(std::string png, uint32_t width, uint32_t height) {
  PutBigEndian(width, kHeader + 4, &png);
  PutBigEndian(height, kHeader + 8, &png);
  const uint32_t checksum = static_cast<uint32_t>(crc32(
      0, reinterpret_cast<const Bytef*>(png.data() + kHeader), kHeaderBytes));
  PutBigEndian(checksum, kHeader + kHeaderBytes, &png);
  return png;
}

}  // namespace groupmamba
