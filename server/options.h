// The server's settings, from flags, environment variables and a file.

#ifndef GROUPMAMBA_SERVER_OPTIONS_H_
#define GROUPMAMBA_SERVER_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/engine.h"
#include "server/server.h"

namespace groupmamba {

struct Settings {
  ServerOptions server;
  EngineOptions engine;
  std::string models;  // folder; may be empty with a fake engine

  bool isolate_decoding = false;  // main finds the program of the decoders

  // Service time of the fake engine; unset: the real one.
  std::optional<Duration> fake_engine;

  DrainTimes drain;
  LogFormat log_format = LogFormat::kText;
  LogLevel log_level = LogLevel::kInfo;

  // Not empty: --help or --version was asked for. Print this and end.
  std::string text_to_print;
};

// Reads the settings. Each can be given as a flag (--max-batch 16), as an
// environment variable (GROUPMAMBA_MAX_BATCH=16), or as a line `max-batch = 16`
// in the TOML file that --config names; the earlier in that list wins.
// `arguments`: without the program's name.
// Errors: INVALID_ARGUMENT with a sentence that names the setting.
absl::StatusOr<Settings> ParseSettings(std::vector<std::string> arguments);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_OPTIONS_H_
