// The decoder process's side: one picture at a time, until the server is gone.

#ifndef GROUPMAMBA_SERVER_ISOLATION_SERVE_DECODER_H_
#define GROUPMAMBA_SERVER_ISOLATION_SERVE_DECODER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/isolation/protocol.h"

namespace groupmamba {

// The most private memory that a picture within the limits takes: as it is
// decoded, turned upright, and what a codec and the process itself hold.
int64_t DecoderMemory(const DecodeLimits& limits);

// The answer to the picture of that number, or with 0 to the setup. A text that
// is too long is cut.
DecoderReply MakeReply(uint64_t number, const absl::Status& status);

// Prepares the pictures that `memory` holds, as PreparePicture does. Returns
// when the server hangs up or breaks the protocol.
void ServeDecoder(int socket, const DecoderSetup& setup,
                  absl::Span<uint8_t> memory);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ISOLATION_SERVE_DECODER_H_
