#include "model/image/pixels.h"

namespace groupmamba {
namespace {

// round(x / 255) for x up to 255 * 255, without a division.
inline uint8_t DivideBy255(unsigned x) {
  x += 128;
  return static_cast<uint8_t>((x + (x >> 8)) >> 8);
}

}  // namespace

void LayOverWhite(const uint8_t* rgba, int width, uint8_t* rgb) {
  for (int i = 0; i < width; ++i, rgba += 4, rgb += 3) {
    const unsigned alpha = rgba[3];
    const unsigned white = 255 * (255 - alpha);
    rgb[0] = DivideBy255(rgba[0] * alpha + white);
    rgb[1] = DivideBy255(rgba[1] * alpha + white);
    rgb[2] = DivideBy255(rgba[2] * alpha + white);
  }
}

void InvertedCmykToRgb(const uint8_t* cmyk, int width, uint8_t* rgb) {
  for (int i = 0; i < width; ++i, cmyk += 4, rgb += 3) {
    const unsigned black = cmyk[3];
    rgb[0] = DivideBy255(cmyk[0] * black);
    rgb[1] = DivideBy255(cmyk[1] * black);
    rgb[2] = DivideBy255(cmyk[2] * black);
  }
}

}  // namespace groupmamba
