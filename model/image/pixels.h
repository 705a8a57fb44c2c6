// Conversions of pixels that the codecs' libraries do not do. Private to
// model/image.
//
// Both round x / 255 to the nearest integer; there are no ties, 255 being odd.

#ifndef GROUPMAMBA_MODEL_IMAGE_PIXELS_H_
#define GROUPMAMBA_MODEL_IMAGE_PIXELS_H_

#include <cstdint>

namespace groupmamba {

// Lays a row over white: colour = round((colour * alpha + 255 * (255 - alpha))
// / 255). `rgba` is not premultiplied.
void LayOverWhite(const uint8_t* rgba, int width, uint8_t* rgb);

// CMYK as JPEG stores it, inverted (255 is no ink, Adobe's convention, which
// Pillow assumes for every file): red = round(c * k / 255), and so on.
void InvertedCmykToRgb(const uint8_t* cmyk, int width, uint8_t* rgb);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_PIXELS_H_
