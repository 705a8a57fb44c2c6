// absl::Status -> grpc::Status. The codes are numerically the same; which texts
// a client may read is decided in server/status_map.h.

#ifndef GROUPMAMBA_SERVER_GRPC_STATUS_H_
#define GROUPMAMBA_SERVER_GRPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace groupmamba {

// How soon a client may try again when its refusal does not say.
inline constexpr int kRetryPushbackMs = 50;

// For a client. With RESOURCE_EXHAUSTED, adds `grpc-retry-pushback-ms` to the
// trailing metadata, so that it must be called before the call is finished.
grpc::Status ToGrpcStatus(const absl::Status& status,
                          grpc::CallbackServerContext* context);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_GRPC_STATUS_H_
