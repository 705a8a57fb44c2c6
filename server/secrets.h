// What the server proves itself with and knows its callers by, kept fresh: the
// files are read again every now and then, on a thread of its own.

#ifndef GROUPMAMBA_SERVER_SECRETS_H_
#define GROUPMAMBA_SERVER_SECRETS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "prometheus/collectable.h"
#include "server/certificates.h"
#include "server/deadline_watch.h"
#include "server/tokens.h"

namespace groupmamba {

struct SecretsOptions {
  TlsOptions tls;
  std::string tokens;  // file, see server/tokens.h; empty: none are asked for

  // How often the files are read again.
  Duration reload_period = std::chrono::seconds(10);
};

// Thread-safe.
class Secrets {
 public:
  // `clock` must outlive it. Errors: those of Certificates::Load and
  // Tokens::Load.
  static absl::StatusOr<std::shared_ptr<Secrets>> Load(
      const SecretsOptions& options, Clock* clock);

  ~Secrets();

  // Null: there are none.
  const Certificates* certificates() const { return certificates_.get(); }
  const Tokens* tokens() const { return tokens_.get(); }

  // Failures to read them again, and when the certificate expires.
  static std::shared_ptr<prometheus::Collectable> MakeMetrics(
      std::shared_ptr<const Secrets> secrets);

 private:
  // The latest outcome of reading a file again.
  struct Outcome {
    std::atomic<int64_t> failures = 0;
    std::string error;  // said; empty: it went well. By the thread alone.
  };

  Secrets() = default;

  void Reload();
  static void Note(const char* what, const absl::Status& status,
                   Outcome* outcome);

  std::unique_ptr<Certificates> certificates_;
  std::unique_ptr<Tokens> tokens_;
  Outcome certificates_outcome_;
  Outcome tokens_outcome_;
  std::unique_ptr<DeadlineWatch> watch_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_SECRETS_H_
