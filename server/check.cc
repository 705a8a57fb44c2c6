#include "server/check.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/engine.h"
#include "model/weights.h"
#include "server/metrics.h"
#include "server/model_folders.h"
#include "server/transport.h"

namespace groupmamba {
namespace {

void CheckDevices(const Settings& settings, CheckResult* result) {
  const auto devices = ListDevices(settings.engine);
  if (devices.ok()) {
    result->good.push_back(
        absl::StrCat("devices: ", absl::StrJoin(*devices, ", ")));
  } else {
    result->wrong.emplace_back(devices.status().message());
  }
}

void CheckModels(const Settings& settings, CheckResult* result) {
  const auto models = FindModels(settings.models);
  if (!models.ok()) {
    result->wrong.emplace_back(models.status().message());
    return;
  }
  for (const ModelFolder& model : *models) {
    if (const auto weights = ReadWeights(model); weights.ok()) {
      result->good.push_back(absl::StrCat("model ", model.name, " version ",
                                          model.version, ": ",
                                          model.config.classes,
                                          " classes, weights as its "
                                          "configuration says"));
    } else {
      result->wrong.emplace_back(weights.status().message());
    }
  }
  const std::string& name = settings.server.default_model;
  if (!name.empty() &&
      std::none_of(models->begin(), models->end(),
                   [&name](const ModelFolder& m) { return m.name == name; })) {
    result->wrong.push_back(absl::StrCat("--default-model: there is no model ",
                                         name, " in ", settings.models));
  }
}

// Certificates and tokens.
void CheckTransport(const Settings& settings, CheckResult* result) {
  const Admission admission(settings.server.admission);
  Metrics metrics(&admission);
  const auto transport =
      Transport::Create(settings.server.transport, &metrics, RealClock::Get());
  if (!transport.ok()) {
    result->wrong.emplace_back(transport.status().message());
  }
}

// Whether the file can be added to or made.
void CheckWritable(const std::string& setting, const std::string& path,
                   CheckResult* result) {
  if (path.empty()) return;
  std::error_code error;
  const std::filesystem::path folder =
      std::filesystem::absolute(path, error).parent_path();
  const bool exists = std::filesystem::exists(path, error);
  if (access(exists ? path.c_str() : folder.c_str(), W_OK) == 0 &&
      !std::filesystem::is_directory(path, error)) {
    result->good.push_back(absl::StrCat(setting, ": ", path));
  } else {
    result->wrong.push_back(
        absl::StrCat(setting, ": '", path, "' cannot be written to"));
  }
}

}  // namespace

CheckResult CheckSettings(const Settings& settings) {
  CheckResult result;
  if (settings.fake_engine.has_value()) {
    result.good.emplace_back("a fake engine: no device, no model");
  } else {
    CheckDevices(settings, &result);
    CheckModels(settings, &result);
  }
  CheckTransport(settings, &result);
  CheckWritable("--journal", settings.server.records.journal, &result);
  CheckWritable("--trace-file", settings.server.records.trace_file, &result);
  return result;
}

}  // namespace groupmamba
