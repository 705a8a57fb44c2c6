#include "client/command.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

void AddSecurityOptions(CLI::App* app, SecurityOptions* options) {
  const auto add = [app](const char* name, std::string* value,
                         const char* help) {
    return app->add_option(name, *value, help)->group("Security");
  };
  const auto add_file = [add](const char* name, std::string* value,
                              const char* help) {
    add(name, value, help)->type_name("FILE")->check(CLI::ExistingFile);
  };
  add_file("--tls-ca", &options->tls_ca,
           "Speak TLS with a server whose certificate is of these "
           "authorities, PEM (default: plain text)");
  add_file("--tls-cert", &options->tls_cert,
           "The client's own certificate, PEM, for a server that asks for one");
  add_file("--tls-key", &options->tls_key, "Its key, PEM");
  add("--tls-server-name", &options->server_name,
      "The name in the server's certificate (default: the host of --target)")
      ->type_name("NAME");
  add_file("--token-file", &options->token_file,
           "Holds the token that the server asks for; without TLS, it is sent "
           "in plain text");
}

}  // namespace

void AddConnectionOptions(CLI::App* app, ConnectionOptions* options) {
  app->add_option("--target", options->target, "The server: HOST:PORT")
      ->capture_default_str()
      ->type_name("ADDRESS")
      ->group("Server");
  app->add_option("--connect-timeout", options->connect_timeout_s,
                  "How long the connection may take, in seconds; 0.001 to 3600")
      ->capture_default_str()
      ->type_name("S")
      ->check(CLI::Range(0.001, 3600.0))
      ->group("Server");
  AddSecurityOptions(app, &options->security);
}

void AddModelOptions(CLI::App* app, ModelOptions* options) {
  app->add_option("--model", options->name,
                  "The model's name (default: the server's own choice)")
      ->type_name("NAME")
      ->group("Server");
  app->add_option("--model-version", options->version,
                  "The model's version (default: the highest)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, std::numeric_limits<int64_t>::max()))
      ->group("Server");
}

void AddDeadlineOption(CLI::App* app, int* milliseconds) {
  app->add_option("--deadline-ms", *milliseconds,
                  "How long a call may take, in milliseconds; "
                  "1 to 3600000")
      ->capture_default_str()
      ->type_name("MS")
      ->check(CLI::Range(1, 3600 * 1000))
      ->group("Server");
}

int Fail(const Io& io, ExitCode code, const std::string& message) {
  *io.out << std::flush;
  *io.err << "groupmamba-client: " << message << "\n";
  return code;
}

std::string Describe(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), ": ",
                      Printable(status.message()));
}

std::unique_ptr<Connection> ConnectOrFail(const Io& io,
                                          const ConnectionOptions& options) {
  auto connection = Connection::Open(options);
  if (!connection.ok()) {
    Fail(io, kExitUnreachable, std::string(connection.status().message()));
    return nullptr;
  }
  return *std::move(connection);
}

int FailCall(const Io& io, const Connection& connection,
             const absl::Status& status) {
  if (connection.IsLost(status)) {
    return Fail(io, kExitUnreachable, connection.UnreachableMessage());
  }
  if (absl::IsUnauthenticated(status)) {
    return Fail(
        io, kExitSomeFailed,
        absl::StrCat(Describe(status), "; --token-file FILE sends one"));
  }
  return Fail(io, kExitSomeFailed, Describe(status));
}

}  // namespace groupmamba::client
