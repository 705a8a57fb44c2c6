// A picture as a request of the V2 inference protocol, by what any V2 server
// says of its model.

#ifndef GROUPMAMBA_CLIENT_LOAD_V2_REQUEST_H_
#define GROUPMAMBA_CLIENT_LOAD_V2_REQUEST_H_

#include "absl/status/statusor.h"
#include "proto/groupmamba/v1/classifier.pb.h"
#include "proto/inference/grpc_service.pb.h"

namespace groupmamba::client {

// A batch of one, raw, for all outputs. A model whose one input is BYTES gets
// the picture's file; one of UINT8 gets the pixels of a raw picture, whose size
// must be the input's. INVALID_ARGUMENT, with a sentence for the user, for
// other models and pictures.
absl::StatusOr<inference::ModelInferRequest> MakeV2Request(
    const inference::ModelMetadataResponse& model,
    const v1::ClassifyRequest& picture);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_V2_REQUEST_H_
