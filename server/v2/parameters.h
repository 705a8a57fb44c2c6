// The parameters of a V2 request and of its output.

#ifndef GROUPMAMBA_SERVER_V2_PARAMETERS_H_
#define GROUPMAMBA_SERVER_V2_PARAMETERS_H_

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/task.h"

namespace groupmamba::v2 {

using ParameterMap =
    google::protobuf::Map<std::string, inference::InferParameter>;

// Levels of the parameter `priority`: 1 high, 2 normal, 3 and more low.
inline constexpr int kPriorityLevels = 3;
inline constexpr int kDefaultPriorityLevel = 2;

struct RequestParameters {
  Priority priority = Priority::kNormal;
  Duration timeout = Duration::max();  // max(): none was given
};

// Reads `priority` (0: the default level) and `timeout` (microseconds; 0:
// none). `triton_enable_empty_final_response`, which the C++ client always
// sends, changes nothing: one request, one response. Names that the protocol
// reserves and we do not know are refused, and so are a sequence's, since
// nothing is kept from one request to the next; all others are for somebody
// else. Errors: kBadParameter.
absl::StatusOr<RequestParameters> ReadRequestParameters(
    const ParameterMap& parameters);

// The k of the classification extension; 0: it is not asked for. Errors:
// kBadParameter, k is not a whole number of at least 1, or shared memory is
// asked for.
absl::StatusOr<int> ReadOutputParameters(const ParameterMap& parameters);

// Errors: kBadParameter, the tensor shall come from shared memory.
absl::Status CheckInputParameters(const ParameterMap& parameters);

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_SERVER_V2_PARAMETERS_H_
