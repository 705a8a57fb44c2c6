// Who a request comes from, as far as fair shares are concerned.

#ifndef GROUPMAMBA_SERVER_CLIENT_ID_H_
#define GROUPMAMBA_SERVER_CLIENT_ID_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "grpcpp/server_context.h"

namespace groupmamba {

// What every caller has proved who it is by, before a service hears of it.
enum class Proof { kNone, kCertificate, kToken };

// For the address that gRPC names a peer by, such as "ipv4:10.0.0.7:41234": the
// same for all connections of one host, whatever their port. Never 0.
uint64_t ClientIdOfPeer(absl::string_view peer);

// By the proof where there is one, so that who is behind the same proxy or host
// is told apart: by the token, or by the certificate's names, whatever
// certificate comes after it. Never 0.
uint64_t ClientIdOf(const grpc::CallbackServerContext& context, Proof proof);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CLIENT_ID_H_
