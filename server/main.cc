// groupmamba-server: reads the settings, starts the server, waits for a signal,
// drains. Exit codes: 0 all that was accepted is answered; 1 it cannot serve,
// or did not drain in time; 2 wrong usage.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/cores.h"
#include "base/log.h"
#include "model/engine.h"
#include "server/fake_engine.h"
#include "server/model_repository.h"
#include "server/options.h"
#include "server/server.h"
#include "server/signals.h"

namespace groupmamba {
namespace {

absl::StatusOr<std::vector<ModelFolder>> ModelsToServe(
    const Settings& settings) {
  if (settings.models.empty()) return std::vector<ModelFolder>{FakeModel()};
  return FindModels(settings.models);
}

EngineFactory FactoryFor(const Settings& settings) {
  if (settings.fake_engine.has_value()) {
    return [time = *settings.fake_engine](const ModelFolder& model) {
      return MakeFakeEngine(model.config, time, RealClock::Get());
    };
  }
  return [options = settings.engine](const ModelFolder& model) {
    return LoadEngine(model, options);
  };
}

// HOST:PORT with the port that was chosen.
std::string Address(const std::string& listen, int port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':') + 1), port);
}

void LogAddresses(absl::string_view event, const Settings& settings,
                  const Server& server) {
  Log(LogLevel::kInfo, event,
      {{"address", Address(settings.server.transport.listen, server.port())},
       {"metrics",
        Address(settings.server.metrics_listen, server.metrics_port())}});
}

int Fail(const absl::Status& status) {
  Log(LogLevel::kError, "cannot serve",
      {{"reason", std::string(status.message())}});
  return 1;
}

// A broken model's thread may never come back; the process ends all the same,
// so that nothing of it is torn down under a thread that runs.
[[noreturn]] void EndWithout(const char* event) {
  Log(LogLevel::kError, event);
  std::_Exit(1);
}

int Serve(const Settings& settings, Signals* signals) {
  absl::StatusOr<std::vector<ModelFolder>> models = ModelsToServe(settings);
  if (!models.ok()) return Fail(models.status());
  Log(LogLevel::kInfo, "threads",
      {{"cores", UsableCores()},
       {"instances", settings.server.instances},
       {"threads_per_instance", settings.engine.threads},
       {"decode_threads", settings.server.pipeline.decode_threads}});
  auto server =
      Server::Start(settings.server, *std::move(models), RealClock::Get());
  if (!server.ok()) return Fail(server.status());
  LogAddresses("listening", settings, **server);
  if (absl::Status status = (*server)->Load(FactoryFor(settings));
      !status.ok()) {
    return Fail(status);
  }
  LogAddresses("serving", settings, **server);

  signals->OnFurther([&] { (*server)->HastenDrain(); });
  signals->AwaitFirst();
  const bool drained =
      (*server)->Drain(RealClock::Get()->Now() + settings.drain_timeout);
  signals->OnFurther(nullptr);
  if (!drained) EndWithout("some requests were not answered in time");
  Log(LogLevel::kInfo, "drained");
  return 0;
}

int Main(int argc, char** argv) {
  absl::StatusOr<Settings> settings =
      ParseSettings(std::vector<std::string>(argv + 1, argv + argc));
  if (!settings.ok()) {
    const std::string sentence(settings.status().message());
    std::fprintf(stderr, "groupmamba-server: %s\nTry --help.\n",
                 sentence.c_str());
    return 2;
  }
  if (!settings->text_to_print.empty()) {
    std::fputs(settings->text_to_print.c_str(), stdout);
    return 0;
  }
  SetLogOptions(settings->log_format, settings->log_level);

  return Serve(*settings, Signals::Watch());
}

}  // namespace
}  // namespace groupmamba

int main(int argc, char** argv) { return groupmamba::Main(argc, argv); }
