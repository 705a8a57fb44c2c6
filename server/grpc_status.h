// absl::Status -> grpc::Status. The codes are numerically the same; which texts
// a client may read is decided in server/status_map.h.

#ifndef GROUPMAMBA_SERVER_GRPC_STATUS_H_
#define GROUPMAMBA_SERVER_GRPC_STATUS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace groupmamba {

// How soon the client of a refusal may try again; 50 ms when the refusal does
// not say.
int64_t RetryPushbackMs(const absl::Status& refused);

// For a client, without a push-back.
grpc::Status ToGrpcStatus(const absl::Status& status);

// With RESOURCE_EXHAUSTED, adds `grpc-retry-pushback-ms` to the
// trailing metadata, so that it must be called before the call is finished.
grpc::Status ToGrpcStatus(const absl::Status& status,
                          grpc::CallbackServerContext* context);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_GRPC_STATUS_H_
