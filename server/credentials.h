// What a listener of gRPC asks of its callers: TLS, certificates, tokens.

#ifndef GROUPMAMBA_SERVER_CREDENTIALS_H_
#define GROUPMAMBA_SERVER_CREDENTIALS_H_

#include <memory>

#include "grpcpp/security/server_credentials.h"
#include "server/call_gate.h"
#include "server/certificates.h"

namespace groupmamba {

// `certificates`: null for plain text. Each new connection gets those that are
// current when it begins; TLS 1.2 and 1.3. `gate`: null to let every call in.
// Both must outlive the server.
//
// On gRPC's C interface, since the C++ one has neither a gate without TLS nor
// certificates that can be replaced safely: its FileWatcherCertificateProvider
// hands on a file that is missing, or broken, and no connection succeeds until
// it is repaired.
std::shared_ptr<grpc::ServerCredentials> MakeCredentials(
    const Certificates* certificates, CallGate* gate);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CREDENTIALS_H_
