#include "server/secrets.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status_macros.h"
#include "server/gauges.h"

namespace groupmamba {

absl::StatusOr<std::shared_ptr<Secrets>> Secrets::Load(
    const SecretsOptions& options, Clock* clock) {
  std::shared_ptr<Secrets> secrets(new Secrets);
  if (!options.tls.certificate.empty()) {
    GM_ASSIGN_OR_RETURN(secrets->certificates_,
                        Certificates::Load(options.tls));
  }
  if (!options.tokens.empty()) {
    GM_ASSIGN_OR_RETURN(secrets->tokens_, Tokens::Load(options.tokens));
  }
  if (secrets->certificates_ != nullptr || secrets->tokens_ != nullptr) {
    secrets->watch_ = CallEvery(
        options.reload_period, [self = secrets.get()] { self->Reload(); },
        clock);
  }
  return secrets;
}

Secrets::~Secrets() {
  if (watch_ != nullptr) watch_->Stop();
}

void Secrets::Reload() {
  if (certificates_ != nullptr) {
    const auto before = certificates_->current();
    Note("certificates", certificates_->Reload(), &certificates_outcome_);
    if (certificates_->current() != before) {
      Log(LogLevel::kInfo, "certificates renewed",
          {{"expires", certificates_->current()->expires}});
    }
  }
  if (tokens_ != nullptr) Note("tokens", tokens_->Reload(), &tokens_outcome_);
}

void Secrets::Note(const char* what, const absl::Status& status,
                   Outcome* outcome) {
  if (!status.ok()) ++outcome->failures;
  const std::string error(status.message());
  // Once, not with every attempt.
  if (error == outcome->error) return;
  outcome->error = error;
  if (status.ok()) {
    Log(LogLevel::kInfo, "files are well again", {{"which", what}});
  } else {
    Log(LogLevel::kError, "cannot read files again; the old ones stay in use",
        {{"which", what}, {"reason", error}});
  }
}

std::shared_ptr<prometheus::Collectable> Secrets::MakeMetrics(
    std::shared_ptr<const Secrets> secrets) {
  return std::make_shared<Gauges>(std::vector<Gauges::Gauge>{
      {"groupmamba_certificate_reload_failures_total",
       "Times that the files of --tls-... could not be read again; the old "
       "ones stay in use.",
       [secrets] {
         return static_cast<double>(secrets->certificates_outcome_.failures);
       },
       true},
      {"groupmamba_token_reload_failures_total",
       "Times that the file of --tokens could not be read again; the old one "
       "stays in use.",
       [secrets] {
         return static_cast<double>(secrets->tokens_outcome_.failures);
       },
       true},
      {"groupmamba_certificate_expiry_timestamp_seconds",
       "When the certificate in use expires, in Unix time; 0: there is none.",
       [secrets] {
         const Certificates* certificates = secrets->certificates();
         return certificates == nullptr
                    ? 0.
                    : static_cast<double>(certificates->current()->expires);
       }},
  });
}

}  // namespace groupmamba
