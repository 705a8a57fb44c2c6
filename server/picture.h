// A client's picture -> the model's input, in a slot.

#ifndef GROUPMAMBA_SERVER_PICTURE_H_
#define GROUPMAMBA_SERVER_PICTURE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/config.h"
#include "model/image/decode.h"
#include "model/image/transform.h"
#include "server/task.h"

namespace groupmamba {

// How pictures for a model of this configuration are resized and cropped.
TransformSpec TransformFor(const InputConfig& input);

// What can be seen without work: that there is a picture, and that pixels have
// the size that is stated and are not too many. Errors: INVALID_ARGUMENT.
absl::Status CheckPicture(const Picture& picture, const DecodeLimits& limits);

// Whether preparing it is no more than a copy: pixels that are not resized.
bool IsReady(const Picture& picture, const TransformSpec& spec);

// Decodes a file, or takes the pixels of a picture that passed CheckPicture,
// then resizes and crops into `out`; a model's own input is only copied. A JPEG
// need not be decoded larger than `jpeg_oversampling` times what it is resized
// to; 0: always whole. The time limit counts this thread's CPU time. Errors:
// INVALID_ARGUMENT, see DecodeImage; INTERNAL, out of memory.
absl::Status PreparePicture(const Picture& picture, const DecodeLimits& limits,
                            int jpeg_oversampling, const TransformSpec& spec,
                            absl::Span<uint8_t> out);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_PICTURE_H_
