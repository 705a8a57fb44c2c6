// load: how the server does under a given load.

#include "client/command.h"

#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/load/payload.h"
#include "client/load/report.h"
#include "client/load/runner.h"
#include "client/load/v2_target.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

struct LoadOptions {
  ConnectionOptions connection;
  ModelOptions model;
  LoadPlan plan;
  double duration_s = 10;
  double warmup_s = 1;
  int deadline_ms = 1000;
  std::string synthetic;
  std::vector<std::string> paths;
  std::string json_file;
  std::string protocol = "grpc";

  Duration deadline() const { return std::chrono::milliseconds(deadline_ms); }
};

Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(seconds));
}

Duration FromMilliseconds(double milliseconds) {
  return FromSeconds(milliseconds / 1000);
}

// The server, called with the payload's requests in turn.
class GrpcTarget : public LoadTarget {
 public:
  GrpcTarget(Connection* connection, const Payload* payload, Duration deadline)
      : connection_(connection), payload_(payload), deadline_(deadline) {}

  void Start(int64_t index,
             std::function<void(const LoadAnswer&)> done) override {
    connection_->StartClassify(
        (*payload_)[index % payload_->size()], deadline_,
        [done = std::move(done)](const ClassifyOutcome& outcome) {
          done(ToAnswer(outcome));
        });
  }

 private:
  static LoadAnswer ToAnswer(const ClassifyOutcome& outcome) {
    LoadAnswer answer;
    answer.code = outcome.response.status().code();
    if (outcome.response.ok()) {
      const v1::Timing& timing = outcome.response->timing();
      answer.batch_size = timing.batch_size();
      answer.server_queue = FromMilliseconds(timing.queue_ms());
      answer.server_inference = FromMilliseconds(timing.inference_ms());
    }
    return answer;
  }

  Connection* const connection_;
  const Payload* const payload_;
  const Duration deadline_;
};

// What CLI11's validators cannot say; empty when all is well.
std::string WrongUsage(const LoadOptions& options) {
  if (options.synthetic.empty() == options.paths.empty()) {
    return "load: give either PATH... or --synthetic WIDTHxHEIGHT";
  }
  if (!options.json_file.empty() && options.json_file != "-" &&
      !absl::EndsWith(options.json_file, ".json")) {
    // So that `--json cat.jpg` cannot overwrite the picture.
    return absl::StrCat(
        "load: --json takes - or a file name that ends in "
        ".json, not '",
        Printable(options.json_file), "'");
  }
  return "";
}

// Without a model's name.
absl::StatusOr<Payload> MakePayload(const LoadOptions& options,
                                    v1::ClassifyRequest prototype,
                                    std::istream* standard_input) {
  prototype.set_top_k(1);
  if (!options.synthetic.empty()) {
    return SyntheticPayload(options.synthetic, options.plan.seed, prototype);
  }
  return FilePayload(options.paths, prototype, standard_input);
}

// What is to be called; sets the model's name and version in `context`.
// `payload` must outlive the target. Errors: a call's, or INVALID_ARGUMENT with
// a sentence for the user.
absl::StatusOr<std::unique_ptr<LoadTarget>> MakeTarget(
    const LoadOptions& options, Connection* connection, Payload* payload,
    LoadContext* context, std::istream* standard_input) {
  if (options.protocol == "v2") {
    GM_ASSIGN_OR_RETURN(*payload, MakePayload(options, {}, standard_input));
    GM_ASSIGN_OR_RETURN(
        auto target,
        V2Target::Open(*connection, options.model.name, options.model.version,
                       *payload, options.deadline()));
    context->model = target->model();
    context->model_version = target->version();
    return target;
  }
  GM_ASSIGN_OR_RETURN(
      const v1::GetModelResponse model,
      connection->GetModel(options.model.name, options.model.version,
                           std::chrono::seconds(5)));
  context->model = model.model().name();
  context->model_version = model.model().version();
  v1::ClassifyRequest prototype;
  prototype.set_model(context->model);
  prototype.set_version(context->model_version);
  GM_ASSIGN_OR_RETURN(*payload,
                      MakePayload(options, prototype, standard_input));
  return std::make_unique<GrpcTarget>(connection, payload, options.deadline());
}

int PrintReport(const LoadOptions& options, const LoadContext& context,
                const LoadResult& result, const Io& io) {
  const std::string json = LoadJson(options.plan, context, result);
  if (options.json_file == "-") {
    *io.out << json;
  } else {
    *io.out << LoadText(options.plan, context, result);
  }
  if (!KeptItsPlan(result)) {
    Fail(io, kExitOk,
         "warning: more than 1 % of the calls were sent over 1 ms after they "
         "were due; this machine could not keep the rate up, and the latencies "
         "from the due time include its own lag");
  }
  if (!options.json_file.empty() && options.json_file != "-") {
    std::ofstream file(options.json_file);
    file << json << std::flush;
    if (!file) {
      return Fail(io, kExitSomeFailed,
                  absl::StrCat("the report could not be written to '",
                               Printable(options.json_file), "'"));
    }
  }
  return result.failed + result.dropped > 0 ? kExitSomeFailed : kExitOk;
}

int RunLoadCommand(LoadOptions options, const Io& io) {
  if (const std::string wrong = WrongUsage(options); !wrong.empty()) {
    return Fail(io, kExitWrongUsage, wrong);
  }
  options.plan.duration = FromSeconds(options.duration_s);
  options.plan.warmup = FromSeconds(options.warmup_s);
  options.connection.retries = false;  // a retry would hide what is measured

  const auto connection = ConnectOrFail(io, options.connection);
  if (!connection) return kExitUnreachable;
  LoadContext context;
  Payload payload;
  const auto target =
      MakeTarget(options, connection.get(), &payload, &context, io.in);
  if (absl::IsInvalidArgument(target.status())) {
    return Fail(io, kExitWrongUsage, std::string(target.status().message()));
  }
  if (!target.ok()) return FailCall(io, *connection, target.status());

  context.target = options.connection.target;
  context.deadline_ms = options.deadline_ms;
  context.payload =
      !options.synthetic.empty()
          ? absl::StrCat("a made picture of ", options.synthetic)
          : absl::StrCat(payload.size(),
                         payload.size() == 1 ? " picture" : " pictures");
  if (io.err_is_terminal) {
    *io.err << "loading for "
            << FormatSeconds(options.duration_s + options.warmup_s) << " ..."
            << std::flush;
  }
  const LoadResult result = RunLoad(options.plan, target->get(), io.clock);
  if (io.err_is_terminal) *io.err << "\r\x1b[K" << std::flush;
  return PrintReport(options, context, result, io);
}

// How the load is made.
void AddPlanOptions(CLI::App* app, LoadOptions* options) {
  LoadPlan* plan = &options->plan;
  const std::string group = "Load (one of --rate and --concurrency)";
  auto* rate = app->add_option(
      "--rate", plan->rate,
      "Open loop: so many calls a second, whether or not earlier ones are "
      "answered; the latency counts from when a call was due; 0.001 to "
      "1000000");
  rate->type_name("R")->check(CLI::Range(0.001, 1e6))->group(group);
  auto* concurrency = app->add_option(
      "--concurrency", plan->concurrency,
      "Closed loop: so many callers, each sends again when it has its answer; "
      "1 to 10000");
  concurrency->type_name("N")->check(CLI::Range(1, 10000))->group(group);
  rate->excludes(concurrency);
  app->add_option(
         "--arrivals", plan->arrivals,
         "Open loop: poisson, as many users together make, or constant "
         "gaps")
      ->transform(CLI::CheckedTransformer(std::map<std::string, ArrivalKind>{
          {"poisson", ArrivalKind::kPoisson},
          {"constant", ArrivalKind::kConstant}}))
      ->default_str("poisson")
      ->type_name("KIND")
      ->group(group);
  app->add_option("--max-in-flight", plan->max_in_flight,
                  "Open loop: calls without an answer; one that is due beyond "
                  "that is dropped and counted; 1 to 1000000")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(1, 1000000))
      ->group(group);
  app->add_option("--duration", options->duration_s,
                  "How long to measure, in seconds; 0.001 to 86400")
      ->capture_default_str()
      ->type_name("S")
      ->check(CLI::Range(0.001, 86400.0))
      ->group(group);
  app->add_option(
         "--warmup", options->warmup_s,
         "How long to send before that without measuring, in seconds; 0 "
         "to 3600")
      ->capture_default_str()
      ->type_name("S")
      ->check(CLI::Range(0.0, 3600.0))
      ->group(group);
  app->add_option("--seed", plan->seed,
                  "Of the Poisson arrivals and the made picture")
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
}

}  // namespace

Command AddLoad(CLI::App* parent) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* app = parent->add_subcommand(
      "load", "Load test: latency, throughput and errors at a given load");
  app->add_option("PATH", options->paths,
                  "Pictures or folders of them; sent in turn, over and over");
  app->add_option("--synthetic", options->synthetic,
                  "Instead of PATH: a made picture of raw RGB, in pixels")
      ->type_name("WxH");
  app->add_option(
         "--protocol", options->protocol,
         "grpc: groupmamba.v1; v2: the open inference protocol, which "
         "Triton, KServe and OVMS speak too. PATH... then needs a model "
         "that takes BYTES (ours: NAME+encoded), --synthetic one that "
         "takes UINT8 of that size")
      ->capture_default_str()
      ->type_name("NAME")
      ->check(CLI::IsMember({"grpc", "v2"}));
  app->add_option("--json", options->json_file,
                  "Write the report as JSON too; - for standard output instead "
                  "of the text")
      ->type_name("FILE");
  AddPlanOptions(app, options.get());
  AddModelOptions(app, &options->model);
  AddConnectionOptions(app, &options->connection);
  AddDeadlineOption(app, &options->deadline_ms);
  app->footer(
      "Examples:\n"
      "  groupmamba-client load --rate 200 --duration 30 photos/\n"
      "  groupmamba-client load --concurrency 8 --synthetic 224x224\n"
      "  groupmamba-client load --rate 50 --arrivals constant --json - "
      "cat.jpg | jq .latency_ms\n"
      "  groupmamba-client load --protocol v2 --model fashion+encoded "
      "--concurrency 8 photos/\n"
      "\n"
      "Nothing is retried. Latencies of failures are kept apart from those of "
      "answers.\n"
      "Exit code 1 when a call failed or was dropped.");
  return {app, [app, options](const Io& io) -> int {
            options->plan.open = app->count("--rate") > 0;
            if (!options->plan.open && app->count("--concurrency") == 0) {
              return Fail(io, kExitWrongUsage,
                          "load: give --rate (open loop) or --concurrency "
                          "(closed loop)");
            }
            return RunLoadCommand(*options, io);
          }};
}

}  // namespace groupmamba::client
