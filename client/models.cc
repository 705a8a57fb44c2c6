// models and metadata: what the server has.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/json.h"
#include "client/models_output.h"

namespace groupmamba::client {
namespace {

struct ModelsOptions {
  ConnectionOptions connection;
  ModelOptions model;
  int deadline_ms = 5000;
  bool json = false;

  Duration deadline() const { return std::chrono::milliseconds(deadline_ms); }
};

int RunModels(const ModelsOptions& options, const Io& io) {
  const auto connection = ConnectOrFail(io, options.connection);
  if (!connection) return kExitUnreachable;
  const auto response = connection->ListModels(options.deadline());
  if (!response.ok()) return FailCall(io, *connection, response.status());
  if (options.json) {
    for (const v1::ModelInfo& model : response->models()) {
      *io.out << ToLine(ModelJson(model)) << "\n";
    }
  } else {
    *io.out << ModelsTable(*response);
  }
  return kExitOk;
}

int RunMetadata(const ModelsOptions& options, const Io& io) {
  const auto connection = ConnectOrFail(io, options.connection);
  if (!connection) return kExitUnreachable;
  const auto response = connection->GetModel(
      options.model.name, options.model.version, options.deadline());
  if (!response.ok()) return FailCall(io, *connection, response.status());
  if (options.json) {
    Json json = ModelJson(response->model());
    json["labels"] = response->labels();
    *io.out << ToLine(json) << "\n";
  } else {
    *io.out << MetadataText(*response);
  }
  return kExitOk;
}

}  // namespace

Command AddModels(CLI::App* parent) {
  auto options = std::make_shared<ModelsOptions>();
  CLI::App* app =
      parent->add_subcommand("models", "The models that the server has");
  app->add_flag("--json", options->json, "One JSON object a line");
  AddConnectionOptions(app, &options->connection);
  AddDeadlineOption(app, &options->deadline_ms);
  app->footer("Example:\n  groupmamba-client models --target gpu-3:8001");
  return {app, [options](const Io& io) { return RunModels(*options, io); }};
}

Command AddMetadata(CLI::App* parent) {
  auto options = std::make_shared<ModelsOptions>();
  CLI::App* app = parent->add_subcommand(
      "metadata", "One model: its input, labels, precision and device");
  app->add_flag("--json", options->json, "A JSON object, with all labels");
  AddModelOptions(app, &options->model);
  AddConnectionOptions(app, &options->connection);
  AddDeadlineOption(app, &options->deadline_ms);
  app->footer(
      "Examples:\n"
      "  groupmamba-client metadata\n"
      "  groupmamba-client metadata --model fashion --json | jq '.labels[]'");
  return {app, [options](const Io& io) { return RunMetadata(*options, io); }};
}

}  // namespace groupmamba::client
