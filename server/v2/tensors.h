// The elements of V2's tensors, as they travel.

#ifndef GROUPMAMBA_SERVER_V2_TENSORS_H_
#define GROUPMAMBA_SERVER_V2_TENSORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/inference/grpc_service.pb.h"

namespace groupmamba::v2 {

// The one input's elements, raw or typed: exactly one of the two must be there,
// in the right field and no other. Errors of all: kBadTensor.

// The `count` elements of a BYTES tensor; views of the request.
absl::StatusOr<std::vector<absl::string_view>> ReadBytes(
    const inference::ModelInferRequest& request, size_t count);

// The `count` elements of a UINT8 tensor, side by side: a view of the request,
// or of `unpacked`, which is filled when they are typed.
absl::StatusOr<absl::string_view> ReadUint8(
    const inference::ModelInferRequest& request, size_t count,
    std::string* unpacked);

// Adds one element of a raw BYTES tensor. At most 2^32 - 1 bytes.
void AppendBytes(absl::string_view element, std::string* raw);

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_SERVER_V2_TENSORS_H_
