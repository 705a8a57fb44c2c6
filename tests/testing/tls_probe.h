// A TLS client without gRPC, which can be made to speak old versions.

#ifndef GROUPMAMBA_TESTS_TESTING_TLS_PROBE_H_
#define GROUPMAMBA_TESTS_TESTING_TLS_PROBE_H_

#include <string>

namespace groupmamba::testing {

// The common name in the certificate that 127.0.0.1:port shows a new
// connection; empty: the handshake failed. `version`: TLS1_1_VERSION and so on,
// of OpenSSL, the only one that is spoken.
std::string CertificateNameAt(int port, int version);

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_TESTING_TLS_PROBE_H_
