// Certificates for tests: an authority, and what it signs.

#ifndef GROUPMAMBA_TESTS_TESTING_CERTIFICATE_MAKER_H_
#define GROUPMAMBA_TESTS_TESTING_CERTIFICATE_MAKER_H_

#include <openssl/types.h>

#include <memory>
#include <string>

namespace groupmamba::testing {

// A certificate and its key, PEM.
struct Identity {
  std::string certificate;
  std::string key;
};

// Not thread-safe.
class Authority {
 public:
  explicit Authority(const std::string& name);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  // Its own certificate, PEM.
  std::string certificate() const;

  // For servers at "localhost" and 127.0.0.1, and for clients. Valid since a
  // day before now until `days` after it; negative: expired.
  Identity Issue(const std::string& name, int days = 1) const;

 private:
  EVP_PKEY* const key_;
  X509* const certificate_;
};

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_TESTING_CERTIFICATE_MAKER_H_
