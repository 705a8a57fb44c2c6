// Makes picture files for tests and benches, the unusual ones too. Aborts when
// a library refuses: its input is a test's own.

#ifndef GROUPMAMBA_TESTS_TESTING_IMAGE_ENCODERS_H_
#define GROUPMAMBA_TESTS_TESTING_IMAGE_ENCODERS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "opencv2/core/mat.hpp"

namespace groupmamba {

using Bytes = std::vector<uint8_t>;

// A picture with smooth and noisy parts, made up from the seed:
// CV_8UC(channels).
cv::Mat MakePicture(int width, int height, int channels, uint64_t seed);

// A TIFF structure that holds an orientation and nothing else. "Exif\0\0" is
// not before it.
Bytes MakeExif(int orientation, bool little_endian = true);

// ---- JPEG

struct JpegOptions {
  int quality = 90;
  int sampling = 2;  // 2: chroma halved both ways; 1: whole
  bool progressive = false;
  // Progressive, each coefficient of each component in a scan of its own: 190.
  bool scan_per_coefficient = false;
  bool ycck = false;         // four channels are stored as YCCK, not CMYK
  int restart_interval = 0;  // in blocks; 0: no restart markers
  Bytes exif;                // a TIFF structure; empty: none
};

// CV_8UC1 gray, CV_8UC3 RGB or CV_8UC4 CMYK as it is to be stored (255 is no
// ink).
Bytes EncodeJpeg(const cv::Mat& picture, const JpegOptions& options = {});

// ---- PNG

struct PngOptions {
  int color_type =
      2;  // as in the file: 0 gray, 2 RGB, 3 palette, 4 and 6 with alpha
  int bit_depth = 8;
  bool interlaced = false;
  std::vector<std::array<uint8_t, 3>> palette;
  Bytes transparency;  // the data of a tRNS chunk; empty: none
};

// CV_8U samples, one a byte also where they are stored in 1, 2 or 4 bits;
// CV_16U for a depth of 16.
Bytes EncodePng(const cv::Mat& samples, const PngOptions& options = {});

// A chunk with its length and checksum.
Bytes PngChunk(const std::string& type, const Bytes& data);

// The file with bytes put before its first IDAT chunk.
Bytes BeforePngData(const Bytes& png, const Bytes& chunks);

// zlib's format.
Bytes Deflate(const Bytes& data);

// ---- WebP

// CV_8UC3 RGB or CV_8UC4 RGBA.
Bytes EncodeWebp(const cv::Mat& picture, bool lossless);

struct WebpChunk {
  std::string type;
  Bytes data;
};

// "RIFF", the length, "WEBP", the chunks.
Bytes MakeWebp(const std::vector<WebpChunk>& chunks);

// The header of the extended format. Flags: 0x02 animation, 0x08 EXIF.
WebpChunk WebpExtendedHeader(uint8_t flags, int width, int height);

// A file of the extended format round the picture of a simple file.
Bytes ExtendWebp(const Bytes& simple, int width, int height, uint8_t flags,
                 const std::vector<WebpChunk>& more);

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_IMAGE_ENCODERS_H_
