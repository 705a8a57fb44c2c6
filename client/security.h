// How the client proves itself, and what it asks of the server: TLS,
// certificates, tokens.

#ifndef GROUPMAMBA_CLIENT_SECURITY_H_
#define GROUPMAMBA_CLIENT_SECURITY_H_

#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace groupmamba::client {

// Files, PEM but for the token.
struct SecurityOptions {
  std::string tls_ca;       // the server's authorities; empty: plain text
  std::string tls_cert;     // the client's own certificate; empty: none
  std::string tls_key;      // its key
  std::string server_name;  // that the server's certificate is for; empty: the
                            // host of --target
  std::string token_file;   // empty: no token
};

// The same, read.
struct Security {
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::string authorization;  // the header's value; empty: none
};

// Errors: INVALID_ARGUMENT, with a sentence that names the option.
absl::StatusOr<Security> LoadSecurity(const SecurityOptions& options);

// Whether whoever listens on `target`, one HOST:PORT, answers TLS. Takes at
// most a second or two. False where it cannot be told.
bool SpeaksTls(const std::string& target);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_SECURITY_H_
