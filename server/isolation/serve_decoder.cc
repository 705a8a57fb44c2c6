#include "server/isolation/serve_decoder.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/string_view.h"
#include "server/picture.h"

namespace groupmamba {
namespace {

// Libraries, tables, the window that is resized.
constexpr int64_t kProcessBytes = int64_t{128} << 20;

bool Fits(const DecoderRequest& request, const DecoderSetup& setup) {
  return request.bytes >= 0 && request.bytes <= setup.in_bytes &&
         request.out_bytes >= 0 && request.out_bytes <= setup.out_bytes;
}

}  // namespace

int64_t DecoderMemory(const DecodeLimits& limits) {
  // Twice 3 bytes a pixel for the picture and the same turned; 4 for a codec
  // that is not JPEG.
  return 10 * limits.max_pixels + static_cast<int64_t>(limits.max_codec_bytes) +
         kProcessBytes;
}

DecoderReply MakeReply(uint64_t number, const absl::Status& status) {
  DecoderReply reply;
  reply.number = number;
  if (status.ok()) return reply;
  reply.outcome = absl::IsInvalidArgument(status) ? DecoderReply::kRefused
                                                  : DecoderReply::kFailed;
  const absl::string_view text = status.message().substr(0, sizeof(reply.text));
  reply.text_bytes = static_cast<uint32_t>(text.size());
  std::copy(text.begin(), text.end(), reply.text);
  return reply;
}

void ServeDecoder(int socket, const DecoderSetup& setup,
                  absl::Span<uint8_t> memory) {
  DecoderRequest request;
  while (ReceiveMessage(socket, &request) && Fits(request, setup)) {
    const Picture picture = {
        .kind = request.kind,
        .bytes = memory.subspan(0, static_cast<size_t>(request.bytes)),
        .width = request.width,
        .height = request.height};
    const absl::Status status = PreparePicture(
        picture, setup.limits, setup.jpeg_oversampling, request.spec,
        memory.subspan(static_cast<size_t>(setup.in_bytes),
                       static_cast<size_t>(request.out_bytes)));
    if (!SendMessage(socket, MakeReply(request.number, status))) return;
  }
}

}  // namespace groupmamba
