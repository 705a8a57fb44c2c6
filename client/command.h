// What the subcommands have in common: how they are declared, and the options
// that several of them take.

#ifndef GROUPMAMBA_CLIENT_COMMAND_H_
#define GROUPMAMBA_CLIENT_COMMAND_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "client/connection.h"
#include "client/io.h"

namespace groupmamba::client {

// A subcommand: its place in the command line, and what it does once the
// command line has been read. Returns an ExitCode.
struct Command {
  CLI::App* app;
  std::function<int(const Io&)> run;
};

// Declares a subcommand of `parent`. One function a subcommand, each in the
// file of its name.
Command AddClassify(CLI::App* parent);
Command AddEvaluate(CLI::App* parent);
Command AddLoad(CLI::App* parent);
Command AddPlan(CLI::App* parent);
Command AddModels(CLI::App* parent);
Command AddMetadata(CLI::App* parent);
Command AddHealth(CLI::App* parent);

struct ModelOptions {
  std::string name;     // empty: the server's default
  int64_t version = 0;  // 0: the highest that is ready
};

// --target and --connect-timeout, and what security takes.
void AddConnectionOptions(CLI::App* app, ConnectionOptions* options);

// --model and --model-version.
void AddModelOptions(CLI::App* app, ModelOptions* options);

// --deadline-ms; `*milliseconds` holds the default.
void AddDeadlineOption(CLI::App* app, int* milliseconds);

// Prints "groupmamba-client: MESSAGE" on `io.err` and returns `code`.
int Fail(const Io& io, ExitCode code, const std::string& message);

// The same for a status: its code and message, made safe for a terminal.
std::string Describe(const absl::Status& status);

// Opens the connection, or prints why not and leaves null: then the command
// ends with kExitUnreachable.
std::unique_ptr<Connection> ConnectOrFail(const Io& io,
                                          const ConnectionOptions& options);

// Ends a command whose call failed: kExitUnreachable when nobody was there,
// otherwise kExitSomeFailed.
int FailCall(const Io& io, const Connection& connection,
             const absl::Status& status);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_COMMAND_H_
