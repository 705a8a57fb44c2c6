// The pipeline's answers -> a V2 response.

#ifndef GROUPMAMBA_SERVER_V2_INFER_RESPONSE_H_
#define GROUPMAMBA_SERVER_V2_INFER_RESPONSE_H_

#include "absl/types/span.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/pipeline.h"
#include "server/v2/model_view.h"

namespace groupmamba::v2 {

// One answer a picture of the request, in its order. `classification` 0: all
// classes are in each answer, and the output is FP32 [N, classes]; else those
// of the classification extension are, BYTES [N, k] of "probability:index:
// label". Always raw: the C++ client reads nothing else.
void FillInferResponse(const ModelView& view, int classification,
                       absl::Span<const Answer> answers,
                       inference::ModelInferResponse* response);

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_SERVER_V2_INFER_RESPONSE_H_
