// The server's certificate, its key and the authority of its clients: read from
// files, checked, and read again while the server runs, so that certificates
// rotate without a restart.

#ifndef GROUPMAMBA_SERVER_CERTIFICATES_H_
#define GROUPMAMBA_SERVER_CERTIFICATES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"

namespace groupmamba {

// Files in PEM.
struct TlsOptions {
  std::string certificate;  // then its intermediates; empty: no TLS
  std::string key;          // not encrypted

  // Whoever connects must have a certificate of one of these authorities.
  // Empty: certificates are not asked for.
  std::string client_authorities;
};

// Thread-safe.
class Certificates {
 public:
  // What the files held; checked.
  struct Pem {
    std::string certificate;
    std::string key;
    std::string client_authorities;
    int64_t expires = 0;  // the certificate; seconds since 1970
  };

  // Errors: INVALID_ARGUMENT or what reading gave, with the file's path.
  static absl::StatusOr<std::unique_ptr<Certificates>> Load(
      const TlsOptions& options);

  // Reads the files again. What is wrong with them, or with the way they fit
  // together, leaves the old ones in use, and is the error.
  absl::Status Reload();

  // The same pointer until other ones are in use.
  std::shared_ptr<const Pem> current() const;

  bool wants_clients() const { return !options_.client_authorities.empty(); }

 private:
  explicit Certificates(const TlsOptions& options) : options_(options) {}

  const TlsOptions options_;
  mutable Mutex mutex_;
  std::shared_ptr<const Pem> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CERTIFICATES_H_
