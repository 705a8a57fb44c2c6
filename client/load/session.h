// A load test's servers: its connections, its models and the requests for them,
// ready for one run or many.

#ifndef GROUPMAMBA_CLIENT_LOAD_SESSION_H_
#define GROUPMAMBA_CLIENT_LOAD_SESSION_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/io.h"
#include "client/load/journal.h"
#include "client/load/metrics_page.h"
#include "client/load/options.h"
#include "client/load/payload.h"
#include "client/load/report.h"
#include "client/load/request_mix.h"
#include "client/load/target.h"

namespace groupmamba::client {

// Not thread-safe.
class LoadSession {
 public:
  // Connects, asks for the models, and builds the requests. Null, with the
  // reason printed and its exit code in `*code`, where one of them fails.
  static std::unique_ptr<LoadSession> Open(const LoadOptions& options,
                                           const Io& io, int* code);

  // Runs `plan` and reads the servers' metrics at its ends. On a terminal a
  // line shows how it goes. `journal` may be null.
  LoadReport Run(const LoadPlan& plan, std::ostream* journal = nullptr);

 private:
  LoadSession(const LoadOptions& options, const Io& io)
      : options_(options), io_(io) {}

  bool OpenConnections(int* code);
  bool MakeTarget(int* code);
  absl::StatusOr<Payload> MakePayload() const;
  std::string RunName() const;
  absl::StatusOr<LoadModel> Prepare(const std::string& model,
                                    const Payload& pictures) const;
  std::optional<std::vector<MetricsPage>> ReadPages();

  const LoadOptions& options_;
  const Io& io_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::unique_ptr<RequestMix> requests_;
  std::unique_ptr<LoadTarget> target_;  // after the requests, which it sends
  LoadContext context_;
  bool warned_ = false;  // that there is no metrics page
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_SESSION_H_
