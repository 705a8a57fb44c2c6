#include <webp/encode.h>

#include <cstdlib>

#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

constexpr size_t kFileHeader = 12, kChunkHeader = 8;

void PutLittleEndian(uint32_t value, int bytes, Bytes* out) {
  for (int i = 0; i < bytes; ++i) {
    out->push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
}

}  // namespace

Bytes EncodeWebp(const cv::Mat& picture, bool lossless) {
  constexpr float kQuality = 80;
  const bool alpha = picture.channels() == 4;
  const int width = picture.cols, height = picture.rows;
  const int step = static_cast<int>(picture.step);
  uint8_t* file = nullptr;
  size_t size = 0;
  if (lossless) {
    size = (alpha ? WebPEncodeLosslessRGBA : WebPEncodeLosslessRGB)(
        picture.data, width, height, step, &file);
  } else {
    size = (alpha ? WebPEncodeRGBA : WebPEncodeRGB)(picture.data, width, height,
                                                    step, kQuality, &file);
  }
  if (size == 0) std::abort();
  const Bytes bytes(file, file + size);
  WebPFree(file);
  return bytes;
}

Bytes MakeWebp(const std::vector<WebpChunk>& chunks) {
  Bytes body = {'W', 'E', 'B', 'P'};
  for (const WebpChunk& chunk : chunks) {
    body.insert(body.end(), chunk.type.begin(), chunk.type.end());
    PutLittleEndian(static_cast<uint32_t>(chunk.data.size()), 4, &body);
    body.insert(body.end(), chunk.data.begin(), chunk.data.end());
    if (chunk.data.size() % 2 != 0) body.push_back(0);
  }
  Bytes bytes = {'R', 'I', 'F', 'F'};
  PutLittleEndian(static_cast<uint32_t>(body.size()), 4, &bytes);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

WebpChunk WebpExtendedHeader(uint8_t flags, int width, int height) {
  WebpChunk chunk = {"VP8X", {flags, 0, 0, 0}};
  PutLittleEndian(static_cast<uint32_t>(width - 1), 3, &chunk.data);
  PutLittleEndian(static_cast<uint32_t>(height - 1), 3, &chunk.data);
  return chunk;
}

Bytes ExtendWebp(const Bytes& simple, int width, int height, uint8_t flags,
                 const std::vector<WebpChunk>& more) {
  const auto type = simple.begin() + kFileHeader;
  std::vector<WebpChunk> chunks = {
      WebpExtendedHeader(flags, width, height),
      {std::string(type, type + 4), Bytes(type + kChunkHeader, simple.end())}};
  chunks.insert(chunks.end(), more.begin(), more.end());
  return MakeWebp(chunks);
}

}  // namespace groupmamba
