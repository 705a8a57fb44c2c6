// The V2 inference protocol as a protocol of load tests: our own server,
// Triton, OVMS, KServe.

#ifndef GROUPMAMBA_CLIENT_LOAD_V2_PROTOCOL_H_
#define GROUPMAMBA_CLIENT_LOAD_V2_PROTOCOL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/connection.h"
#include "client/load/grpc_target.h"
#include "client/load/payload.h"

namespace groupmamba::client {

// ModelInfer and ModelStreamInfer. Their replies hold no receipt, and the
// stream's tell no code: a failure there is UNKNOWN.
LoadProtocol V2Protocol();
StreamProtocol V2StreamProtocol();

// Asks for the model's metadata and makes a request of each picture. `version`
// 0: the server's choice. Errors: the call's; INVALID_ARGUMENT, with a sentence
// for the user, see MakeV2Request.
absl::StatusOr<LoadModel> PrepareV2Model(const Connection& connection,
                                         const std::string& model,
                                         int64_t version,
                                         const Payload& pictures);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_V2_PROTOCOL_H_
