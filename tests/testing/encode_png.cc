#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>

#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

constexpr size_t kIhdrEnd = 8 + 12 + 13;

void PutBigEndian(uint32_t value, Bytes* out) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out->push_back(static_cast<uint8_t>(value >> shift));
  }
}

void Append(png_structp png, png_bytep data, size_t size) {
  auto* bytes = static_cast<Bytes*>(png_get_io_ptr(png));
  bytes->insert(bytes->end(), data, data + size);
}

}  // namespace

Bytes EncodePng(const cv::Mat& samples, const PngOptions& options) {
  Bytes bytes;
  png_structp png = png_create_write_struct(
      PNG_LIBPNG_VER_STRING, nullptr,
      [](png_structp, png_const_charp) { std::abort(); }, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, Append, [](png_structp) {});
  png_set_IHDR(png, info, samples.cols, samples.rows, options.bit_depth,
               options.color_type,
               options.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> palette;
  for (const auto& [red, green, blue] : options.palette) {
    palette.push_back({red, green, blue});
  }
  if (!palette.empty()) {
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  }
  png_write_info(png, info);
  if (options.bit_depth < 8) png_set_packing(png);
  if (options.bit_depth == 16) png_set_swap(png);
  std::vector<png_bytep> rows;
  for (int y = 0; y < samples.rows; ++y) {
    rows.push_back(const_cast<png_bytep>(samples.ptr(y)));
  }
  png_write_image(png, rows.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  if (options.transparency.empty()) return bytes;
  return BeforePngData(bytes, PngChunk("tRNS", options.transparency));
}

Bytes PngChunk(const std::string& type, const Bytes& data) {
  Bytes chunk;
  PutBigEndian(static_cast<uint32_t>(data.size()), &chunk);
  chunk.insert(chunk.end(), type.begin(), type.end());
  chunk.insert(chunk.end(), data.begin(), data.end());
  const uLong checksum = crc32(0, chunk.data() + 4, chunk.size() - 4);
  PutBigEndian(static_cast<uint32_t>(checksum), &chunk);
  return chunk;
}

Bytes BeforePngData(const Bytes& png, const Bytes& chunks) {
  const std::string type = "IDAT";
  const auto data =
      std::search(png.begin() + kIhdrEnd, png.end(), type.begin(), type.end());
  Bytes bytes(png.begin(), data - 4);
  bytes.insert(bytes.end(), chunks.begin(), chunks.end());
  bytes.insert(bytes.end(), data - 4, png.end());
  return bytes;
}

Bytes Deflate(const Bytes& data) {
  uLongf size = compressBound(data.size());
  Bytes out(size);
  if (compress2(out.data(), &size, data.data(), data.size(), 1) != Z_OK) {
    std::abort();
  }
  out.resize(size);
  return out;
}

}  // namespace groupmamba
