// health: whether the server, or one of its services, is serving.

#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

using ::grpc::health::v1::HealthCheckResponse;

struct HealthOptions {
  ConnectionOptions connection;
  std::string service;
  int deadline_ms = 5000;
};

int RunHealth(const HealthOptions& options, const Io& io) {
  const auto connection = ConnectOrFail(io, options.connection);
  if (!connection) return kExitUnreachable;
  const auto response = connection->CheckHealth(
      options.service, std::chrono::milliseconds(options.deadline_ms));
  if (absl::IsNotFound(response.status())) {
    return Fail(io, kExitSomeFailed,
                absl::StrCat("the server knows no service '",
                             Printable(options.service), "'"));
  }
  if (!response.ok()) return FailCall(io, *connection, response.status());
  const std::string& name =
      HealthCheckResponse::ServingStatus_Name(response->status());
  *io.out << (name.empty() ? "UNKNOWN" : name) << "\n";
  return response->status() == HealthCheckResponse::SERVING ? kExitOk
                                                            : kExitSomeFailed;
}

}  // namespace

Command AddHealth(CLI::App* parent) {
  auto options = std::make_shared<HealthOptions>();
  CLI::App* app = parent->add_subcommand(
      "health", "Whether the server is serving (exit code 0) or not (1)");
  app->add_option(
         "--service", options->service,
         "groupmamba.v1.Classifier or a model (default: the server as a "
         "whole)")
      ->type_name("NAME");
  AddConnectionOptions(app, &options->connection);
  AddDeadlineOption(app, &options->deadline_ms);
  app->footer(
      "Examples:\n"
      "  groupmamba-client health && echo up\n"
      "  groupmamba-client health --service NAME --target gpu-3:8001\n"
      "\n"
      "Asks grpc.health.v1, as Kubernetes' gRPC probe does.");
  return {app, [options](const Io& io) { return RunHealth(*options, io); }};
}

}  // namespace groupmamba::client
