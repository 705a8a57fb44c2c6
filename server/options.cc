#include "server/options.h"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/cores.h"
#include "base/status_macros.h"
#include "server/flag.h"
#include "server/transport_flags.h"

namespace groupmamba {
namespace {

constexpr char kPrefix[] = "GROUPMAMBA_";

LogLevel LogLevelOf(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

// Declares the flags into `settings`, through numbers in the units of the
// flags.
class Flags {
 public:
  explicit Flags(Settings* settings);

  // Sets text_to_print when that is all that is wanted.
  absl::Status Parse(std::vector<std::string> arguments);

 private:
  template <typename T>
  CLI::Option* Add(const std::string& group, const std::string& name, T* value,
                   const std::string& help) {
    return AddFlag(&app_, group, name, value, help);
  }
  template <typename T>
  void AddNumber(const std::string& group, const std::string& name, T* value,
                 double low, double high, const std::string& help) {
    AddNumberFlag(&app_, group, name, value, low, high, help);
  }

  void AddModelFlags();
  void AddListenFlags();
  void AddBatchFlags();
  void AddLimitFlags();
  void AddOtherFlags();
  absl::Status Take();

  Settings* const settings_;
  CLI::App app_;
  TransportFlags transport_;

  std::string engine_ = "native";
  std::string decode_isolation_ = "none";
  double max_delay_ms_ = 5;
  double slo_ms_ = 0;
  double max_picture_mb_ = 16;
  double default_deadline_ms_ = 10'000;
  double max_deadline_ms_ = 60'000;
  double poll_models_s_ = 0;
  double drain_linger_s_ = 0;
  double drain_grace_s_ = 25;
  double hang_s_ = 30;
  std::string log_format_ = "text";
  std::string log_level_ = "info";
};

Flags::Flags(Settings* settings)
    : settings_(settings),
      app_(
          "Classifies pictures over gRPC with a GroupMamba model.\n"
          "Each setting is a flag (--max-batch 16), an environment variable "
          "(GROUPMAMBA_MAX_BATCH=16)\nor a line of the TOML file that --config "
          "names (max-batch = 16); the earlier wins.\n"
          "`groupmamba-server check SETTINGS` says whether it would serve with "
          "them, and ends.",
          "groupmamba-server"),
      transport_(&settings->server.transport) {
  app_.formatter(std::make_shared<HelpFormatter>());
  AddModelFlags();
  transport_.AddTo(&app_);
  AddListenFlags();
  AddBatchFlags();
  AddLimitFlags();
  AddOtherFlags();
  NameEnvironmentVariables(kPrefix, &app_);
}

void Flags::AddModelFlags() {
  const std::string group = "Models";
  Add(group, "models", &settings_->models,
      "Folder with <name>/<version>/config.json; the highest version is served")
      ->type_name("DIR");
  AddNumber(group, "poll-models", &poll_models_s_, 0, 86'400,
            "Seconds between looks for new versions; 0: only SIGHUP and the "
            "admin port load them");
  Add(group, "default-model", &settings_->server.default_model,
      "Answers requests that name no model; needed with several models only")
      ->type_name("NAME");
  Add(group, "device", &settings_->engine.device,
      "auto, cpu, cuda or cuda:N; cuda: every GPU; auto: the same, or the "
      "processor")
      ->check(CheckDeviceName);
  Add(group, "precision", &settings_->engine.precision,
      "Of storage and matrix products: auto, fp32 or bf16")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}));
  AddNumber(group, "instances", &settings_->server.instances, 1, 64,
            "Instances of each model on each device, each with a thread of its "
            "own");
  AddNumber(group, "threads", &settings_->engine.threads, 0, 1024,
            "Threads of one instance on a processor; 0: its share of the cores "
            "that the process may use");
  app_.add_flag("--cuda-graphs", settings_->engine.cuda_graphs,
                "On a GPU, replay a graph for each size of batch; no GPU has "
                "run this yet")
      ->group(group);
  Add(group, "engine", &engine_,
      "native: our kernels; torch: LibTorch's operators, slower, to compare "
      "with; fake:MS: no model, every batch takes MS milliseconds, for load "
      "tests");
}

void Flags::AddListenFlags() {
  const std::string group = "Listening";
  Add(group, "metrics", &settings_->server.metrics_listen,
      "Where /metrics listens, HOST:PORT; port 0: any free one")
      ->check(CheckAddress)
      ->type_name("ADDRESS");
}

void Flags::AddBatchFlags() {
  const std::string group = "Batching";
  AddNumber(group, "max-batch", &settings_->server.batch.max_batch, 1, 256,
            "Pictures in a batch at most");
  AddNumber(
      group, "max-delay-ms", &max_delay_ms_, 0, 10'000,
      "How long a free instance may wait for company at most; how long it "
      "does follows from the load, and one request alone never waits");
  AddNumber(group, "slo-ms", &slo_ms_, 0, 60'000,
            "What 99 of 100 answers should take at most: below it, larger "
            "batches are worth waiting for; 0: none, the mean time counts");
  AddNumber(group, "queue-capacity", &settings_->server.admission.max_waiting,
            1, 100'000,
            "Requests that may wait; a further one gets RESOURCE_EXHAUSTED");
  AddNumber(group, "queue-bytes", &settings_->server.admission.max_bytes, 1,
            1e12, "Bytes of pictures in unanswered requests at most");
  AddNumber(group, "decode-threads", &settings_->server.pipeline.decode_threads,
            1, 1024, "Threads that decode pictures");
  Add(group, "decode-isolation", &decode_isolation_,
      "none: pictures are decoded in the server's process; process: each "
      "decoding thread has a confined process, groupmamba-decoder, which lies "
      "beside the server's program and is restarted when it crashes")
      ->check(CLI::IsMember({"none", "process"}));
  AddNumber(group, "jpeg-oversampling",
            &settings_->server.pipeline.jpeg_oversampling, 0, 16,
            "Decode large JPEGs at a half, a quarter or an eighth, but no "
            "smaller than so many times what they are resized to: faster, "
            "pixels differ a little; 0: whole");
}

void Flags::AddLimitFlags() {
  const std::string group = "Limits";
  AddNumber(group, "max-picture-mb", &max_picture_mb_, 0.001, 1024,
            "Largest encoded picture, in MB of 2^20 bytes");
  AddNumber(group, "max-pixels", &settings_->server.pipeline.decode.max_pixels,
            1, 1e9, "Most pixels of a picture");
  AddNumber(group, "default-deadline-ms", &default_deadline_ms_, 1, 3.6e6,
            "Deadline of a request that has none");
  AddNumber(group, "max-deadline-ms", &max_deadline_ms_, 1, 3.6e6,
            "Longer deadlines are cut to this");
}

void Flags::AddOtherFlags() {
  const std::string group = "Running";
  AddNumber(group, "drain-linger-s", &drain_linger_s_, 0, 3600,
            "After SIGTERM, how long to serve on as NOT_SERVING, so that load "
            "balancers look elsewhere before anything is refused");
  AddNumber(
      group, "drain-grace-s", &drain_grace_s_, 0.1, 3600,
      "After SIGTERM, when the process has ended at the latest, the "
      "linger included; whoever is not answered by then gets UNAVAILABLE");
  AddNumber(group, "hang-s", &hang_s_, 0, 3600,
            "A batch that takes longer hangs: the server says NOT_SERVING, "
            "drains and ends with code 1, to be replaced; 0: never");
  Add(group, "log-format", &log_format_,
      "Of diagnostics on standard error: text or json")
      ->check(CLI::IsMember({"text", "json"}));
  Add(group, "log-level", &log_level_,
      "The least important that is written: debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));

  CallRecordsOptions& records = settings_->server.records;
  Add(group, "journal", &records.journal,
      "File to which a line is added for each request: its id, times, code, "
      "version, and the CRC-32 of its message, which costs time")
      ->type_name("FILE");
  Add(group, "trace-file", &records.trace_file,
      "File to which each traced request's spans are added as a line of OTLP's "
      "JSON")
      ->type_name("FILE");
  AddNumber(group, "trace-ratio", &records.trace_ratio, 0, 1,
            "The share of the requests without a traceparent that is traced; "
            "with one, its flag decides");

  AddSettingsFile(std::make_shared<SettingsFile>(kPrefix), "GROUPMAMBA_CONFIG",
                  &app_)
      ->group(group);
  app_.set_version_flag("--version", GM_VERSION)->group(group);
  app_.set_help_flag("--help,-h", "Print this")->group(group);
}

absl::Status Flags::Parse(std::vector<std::string> arguments) {
  // CLI11 wants them in reverse.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app_.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    settings_->text_to_print = app_.help();
    return absl::OkStatus();
  } catch (const CLI::CallForVersion& version) {
    settings_->text_to_print = absl::StrCat(version.what(), "\n");
    return absl::OkStatus();
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(DescribeUsageError(error));
  }
  return Take();
}

// What CLI11 cannot take over by itself.
absl::Status Flags::Take() {
  double fake_ms = 0;
  if (absl::StartsWith(engine_, "fake:") &&
      absl::SimpleAtod(engine_.substr(5), &fake_ms) && fake_ms >= 0 &&
      fake_ms <= 60'000) {
    settings_->fake_engine = FromMilliseconds(fake_ms);
  } else if (engine_ == "torch") {
    settings_->engine.implementation = EngineImplementation::kTorch;
  } else if (engine_ != "native") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--engine: ", engine_,
        " is none of native, torch, fake:MS with MS from 0 to 60000"));
  }
  if (settings_->models.empty() && !settings_->fake_engine.has_value()) {
    return absl::InvalidArgumentError(
        "--models is needed: the folder with <name>/<version>/config.json");
  }
  ServerOptions& server = settings_->server;
  settings_->isolate_decoding = decode_isolation_ == "process";
  server.batch.max_delay = FromMilliseconds(max_delay_ms_);
  server.batch.slo = FromMilliseconds(slo_ms_);
  GM_RETURN_IF_ERROR(transport_.Take());
  server.pipeline.decode.max_bytes =
      static_cast<size_t>(max_picture_mb_ * kMebi);
  server.pipeline.default_deadline = FromMilliseconds(default_deadline_ms_);
  server.pipeline.max_deadline = FromMilliseconds(max_deadline_ms_);
  if (settings_->engine.threads == 0) {
    settings_->engine.threads = std::max(1, UsableCores() / server.instances);
  }
  if (drain_linger_s_ >= drain_grace_s_) {
    return absl::InvalidArgumentError(
        "--drain-linger-s: it is part of --drain-grace-s and must be shorter");
  }
  settings_->drain = {.linger = FromSeconds(drain_linger_s_),
                      .grace = FromSeconds(drain_grace_s_)};
  server.hang_after = FromSeconds(hang_s_);
  server.records.seed =
      (uint64_t{std::random_device()()} << 32) | std::random_device()();
  server.control.root = settings_->models;
  server.control.poll = FromSeconds(poll_models_s_);
  settings_->log_format =
      log_format_ == "json" ? LogFormat::kJson : LogFormat::kText;
  settings_->log_level = LogLevelOf(log_level_);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Settings> ParseSettings(std::vector<std::string> arguments) {
  Settings settings;
  settings.server.pipeline.decode_threads = UsableCores();
  Flags flags(&settings);
  const absl::Status status = flags.Parse(std::move(arguments));
  if (!status.ok()) return status;
  return settings;
}

}  // namespace groupmamba
