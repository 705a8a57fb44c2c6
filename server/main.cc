// groupmamba-server: reads the settings, starts the server, waits for a signal,
// drains. Exit codes: 0 all that was accepted is answered; 1 it cannot serve,
// did not drain in time, or lost its device; 2 wrong usage, as a device that is
// not there. `check` in front of the settings looks at them and at all that
// they name, and ends: 0 it would serve; 2 it would not.

#include <malloc.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/cores.h"
#include "base/log.h"
#include "model/engine.h"
#include "server/check.h"
#include "server/deadline_watch.h"
#include "server/fake_engine.h"
#include "server/model_folders.h"
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

// Instances take the devices in turns.
EngineFactory FactoryFor(const Settings& settings,
                         const std::vector<std::string>& devices) {
  if (settings.fake_engine.has_value()) {
    return [time = *settings.fake_engine](const ModelFolder& model) {
      return MakeFakeEngine(model.config, time, RealClock::Get());
    };
  }
  auto next = std::make_shared<std::atomic<size_t>>(0);
  return [options = settings.engine, devices, next](const ModelFolder& model) {
    EngineOptions on_device = options;
    on_device.device = devices[(*next)++ % devices.size()];
    return LoadEngine(model, on_device);
  };
}

// HOST:PORT with the port that was chosen; "off" where nothing listens.
std::string Address(const std::string& listen, int port) {
  if (listen.empty()) return "off";
  return absl::StrCat(listen.substr(0, listen.rfind(':') + 1), port);
}

void LogAddresses(absl::string_view event, const Settings& settings,
                  const Server& server) {
  const TransportOptions& transport = settings.server.transport;
  Log(LogLevel::kInfo, event,
      {{"address", Address(transport.listen, server.port())},
       {"metrics",
        Address(settings.server.metrics_listen, server.metrics_port())},
       {"admin", Address(transport.admin, server.admin_port())},
       {"health", Address(transport.health, server.health_port())}});
}

// Whatever the working folder and the PATH are.
std::string ProgramBeside(const char* name) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error)
      .replace_filename(name);
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

// It takes a millisecond.
constexpr Duration kTrimPeriod = std::chrono::minutes(1);

// Gives back to the system what bursts have left in glibc's heaps, of which
// there are up to eight a core; with fewer, threads wait for each other.
std::unique_ptr<DeadlineWatch> TrimHeaps() {
  return CallEvery(
      kTrimPeriod, [] { malloc_trim(0); }, RealClock::Get());
}

int Serve(Settings settings, const std::vector<std::string>& devices,
          Signals* signals) {
  std::atomic<bool> lost = false;
  settings.server.instances *= static_cast<int>(devices.size());
  if (settings.isolate_decoding) {
    settings.server.decoder_program = ProgramBeside("groupmamba-decoder");
  }
  settings.server.allocate_slot = [&devices](size_t bytes) {
    return AllocatePicture(bytes, devices.front());
  };
  settings.server.on_device_lost = [&lost, signals] {
    lost = true;
    signals->EndWait();
  };
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
  if (absl::Status status = (*server)->Load(FactoryFor(settings, devices));
      !status.ok()) {
    return Fail(status);
  }
  // Before it says so, and is told to end.
  signals->BeginServing();
  LogAddresses("serving", settings, **server);
  const std::unique_ptr<DeadlineWatch> trimmer = TrimHeaps();

  signals->OnFurther([&] { (*server)->HastenDrain(); });
  signals->OnHangup([&] { (*server)->ReloadModels(); });
  signals->AwaitFirst();
  // Nothing is to be had of lingering with a device that is lost.
  if (lost) settings.drain.linger = {};
  const bool drained = (*server)->Drain(settings.drain);
  signals->OnFurther(nullptr);
  signals->OnHangup(nullptr);
  if (!drained) {
    (*server)->CloseRecords();
    EndWithout("some requests were not answered in time");
  }
  Log(LogLevel::kInfo, "drained");
  return lost ? 1 : 0;
}

int FailUsage(const absl::Status& status) {
  std::fprintf(stderr, "groupmamba-server: %s\nTry --help.\n",
               std::string(status.message()).c_str());
  return 2;
}

int Check(const Settings& settings) {
  const CheckResult result = CheckSettings(settings);
  for (const std::string& sentence : result.good) {
    std::printf("%s\n", sentence.c_str());
  }
  for (const std::string& sentence : result.wrong) {
    std::fprintf(stderr, "groupmamba-server: %s\n", sentence.c_str());
  }
  if (!result.wrong.empty()) return 2;
  std::puts("the settings are good");
  return 0;
}

int Main(int argc, char** argv) {
  // Debian builds Abseil with its check of the order of locks, which costs gRPC
  // an eighth of its time.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool check = !arguments.empty() && arguments.front() == "check";
  if (check) arguments.erase(arguments.begin());
  absl::StatusOr<Settings> settings = ParseSettings(std::move(arguments));
  if (!settings.ok()) return FailUsage(settings.status());
  if (!settings->text_to_print.empty()) {
    std::fputs(settings->text_to_print.c_str(), stdout);
    return 0;
  }
  if (check) return Check(*settings);
  SetLogOptions(settings->log_format, settings->log_level);

  // Before anything else can start a thread, as a GPU's driver does.
  Signals* const signals = Signals::Watch();
  std::vector<std::string> devices = {"cpu"};
  if (!settings->fake_engine.has_value()) {
    auto listed = ListDevices(settings->engine);
    if (!listed.ok()) return FailUsage(listed.status());
    devices = *std::move(listed);
  }
  return Serve(*std::move(settings), devices, signals);
}

}  // namespace
}  // namespace groupmamba

int main(int argc, char** argv) { return groupmamba::Main(argc, argv); }
