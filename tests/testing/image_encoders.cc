#include "tests/testing/image_encoders.h"

#include <algorithm>
#include <random>

namespace groupmamba {

cv::Mat MakePicture(int width, int height, int channels, uint64_t seed) {
  std::mt19937_64 random(seed);
  cv::Mat picture(height, width, CV_8UC(channels));
  const unsigned slope = 1 + random() % 5;
  for (int y = 0; y < height; ++y) {
    uint8_t* row = picture.ptr(y);
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c, ++row) {
        const auto smooth = (slope * x + (c + 1) * y) / 2;
        const bool noisy = (x / 16 + y / 16) % 4 == 0;
        *row = static_cast<uint8_t>(noisy ? random() : smooth % 256);
      }
    }
  }
  return picture;
}

Bytes MakeExif(int orientation, bool little_endian) {
  Bytes tiff;
  const auto put = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      const int shift = 8 * (little_endian ? i : bytes - 1 - i);
      tiff.push_back(static_cast<uint8_t>(value >> shift));
    }
  };
  tiff = little_endian ? Bytes{'I', 'I'} : Bytes{'M', 'M'};
  put(42, 2);
  put(8, 4);       // the first directory's place
  put(1, 2);       // its entries
  put(0x0112, 2);  // orientation
  put(3, 2);       // SHORT
  put(1, 4);       // one
  put(static_cast<uint32_t>(orientation), 2);
  put(0, 2);  // the rest of the value's field
  put(0, 4);  // no further directory
  return tiff;
}

}  // namespace groupmamba
