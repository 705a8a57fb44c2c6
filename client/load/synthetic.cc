#include "client/load/synthetic.h"

// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <cstdlib>
#include <random>

namespace groupmamba::client {

std::string MakePixels(uint32_t width, uint32_t height, uint64_t seed) {
  // A photograph of this size and quality takes about as many bytes.
  constexpr uint64_t kNoise = 15;
  std::mt19937_64 random(seed);
  std::string rgb;
  rgb.reserve(size_t{3} * width * height);
  for (uint32_t y = 0; y < height; ++y) {
    for (uint32_t x = 0; x < width; ++x) {
      const uint64_t noise = random();
      const auto horizontal = static_cast<uint32_t>(uint64_t{239} * x / width);
      const auto vertical = static_cast<uint32_t>(uint64_t{239} * y / height);
      rgb.push_back(static_cast<char>(horizontal + (noise & kNoise)));
      rgb.push_back(static_cast<char>(vertical + ((noise >> 8) & kNoise)));
      rgb.push_back(static_cast<char>((horizontal + vertical) / 2 +
                                      ((noise >> 16) & kNoise)));
    }
  }
  return rgb;
}

std::string EncodeJpeg(const std::string& rgb, uint32_t width,
                       uint32_t height) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  info.err = jpeg_std_error(&errors);
  // Sizes are checked and memory is the only thing that can be missing.
  errors.error_exit = [](j_common_ptr) { std::abort(); };
  jpeg_create_compress(&info);
  unsigned char* file = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &file, &size);
  info.image_width = width;
  info.image_height = height;
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 90, TRUE);
  jpeg_start_compress(&info, TRUE);
  for (uint32_t y = 0; y < height; ++y) {
    auto* row = reinterpret_cast<JSAMPROW>(
        const_cast<char*>(rgb.data() + size_t{3} * width * y));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<char*>(file), size);
  jpeg_destroy_compress(&info);
  std::free(file);
  return bytes;
}

}  // namespace groupmamba::client
