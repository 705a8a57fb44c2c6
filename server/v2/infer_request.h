// A V2 request to infer, checked against the model and taken apart into
// pictures.

#ifndef GROUPMAMBA_SERVER_V2_INFER_REQUEST_H_
#define GROUPMAMBA_SERVER_V2_INFER_REQUEST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/task.h"
#include "server/v2/model_view.h"
#include "server/v2/parameters.h"

namespace groupmamba::v2 {

// Movable; the pictures' bytes are the message's or `unpacked`'s.
struct InferRequest {
  std::vector<Picture> pictures;  // at least 1
  std::unique_ptr<std::string> unpacked = std::make_unique<std::string>();
  RequestParameters parameters;
  int classification = 0;  // how many classes; 0: the probabilities of all
};

// The model wants one input, by its name, datatype and shape, with a batch from
// 1 to `max_batch`, and gives one output. Nothing is allocated by what the
// message claims, only by what it holds. Errors: INVALID_ARGUMENT, kBadTensor,
// kBadParameter or kBadBatch; no text of the client's is in them.
absl::StatusOr<InferRequest> ReadInferRequest(
    const inference::ModelInferRequest& message, const ModelView& view,
    int max_batch);

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_SERVER_V2_INFER_REQUEST_H_
