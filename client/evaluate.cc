// evaluate: the accuracy of a served model on a folder of labelled pictures.

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/evaluate_output.h"
#include "client/evaluation.h"
#include "client/labelled_pictures.h"
#include "client/ordered_calls.h"
#include "client/picture_files.h"

namespace groupmamba::client {
namespace {

constexpr Duration kProgressPeriod = std::chrono::milliseconds(100);

struct EvaluateOptions {
  ConnectionOptions connection;
  ModelOptions model;
  int deadline_ms = 30000;
  int concurrency = 16;
  bool json = false;
  std::string folder;

  Duration deadline() const { return std::chrono::milliseconds(deadline_ms); }
};

// One run of the command over `pictures`, on the model that `model` describes.
class Evaluating {
 public:
  Evaluating(const EvaluateOptions& options, Connection* connection,
             const v1::GetModelResponse& model,
             std::vector<LabelledPicture> pictures, const Io& io)
      : options_(options),
        connection_(connection),
        model_(model.model()),
        pictures_(std::move(pictures)),
        io_(io),
        evaluation_({model.labels().begin(), model.labels().end()}) {}

  int Run() {
    start_ = io_.clock->Now();
    RunInOrder<ClassifyOutcome>(
        pictures_.size(), options_.concurrency,
        [this](size_t i, auto done) { Start(i, std::move(done)); },
        [this](size_t i, const ClassifyOutcome& outcome) {
          Count(pictures_[i].label, outcome.response);
          ShowProgress(i + 1);
          return !lost_;
        });
    const Duration elapsed = io_.clock->Now() - start_;
    if (io_.err_is_terminal) *io_.err << "\r\x1b[K" << std::flush;
    if (lost_) {
      return Fail(io_, kExitUnreachable, connection_->UnreachableMessage());
    }
    if (options_.json) {
      *io_.out << EvaluateJson(evaluation_, elapsed) << "\n";
    } else {
      *io_.out << "model " << model_.name() << ", version " << model_.version()
               << "\n"
               << EvaluateText(evaluation_, elapsed);
    }
    return evaluation_.failed() > 0 ? kExitSomeFailed : kExitOk;
  }

 private:
  void Start(size_t i, std::function<void(ClassifyOutcome)> done) {
    auto bytes = ReadPicture(pictures_[i].path, kMaxPictureBytes, io_.in);
    if (!bytes.ok()) return done({bytes.status()});
    auto request = std::make_shared<v1::ClassifyRequest>();
    // By its version, so that a reload in between cannot mix two models.
    request->set_model(model_.name());
    request->set_version(model_.version());
    request->set_encoded(*std::move(bytes));
    request->set_top_k(5);
    connection_->StartClassify(std::move(request), options_.deadline(),
                               std::move(done));
  }

  void Count(int label, const absl::StatusOr<v1::ClassifyResponse>& response) {
    if (!response.ok()) {
      evaluation_.AddFailure(response.status());
      lost_ = lost_ || connection_->IsLost(response.status());
      return;
    }
    std::vector<int> predicted;
    for (const v1::Prediction& prediction : response->predictions()) {
      predicted.push_back(prediction.index());
    }
    evaluation_.Add(label, predicted);
  }

  void ShowProgress(size_t done) {
    const TimePoint now = io_.clock->Now();
    if (!io_.err_is_terminal || now < next_progress_) return;
    next_progress_ = now + kProgressPeriod;
    *io_.err << "\r"
             << ProgressText(static_cast<int64_t>(done),
                             static_cast<int64_t>(pictures_.size()),
                             now - start_)
             << "\x1b[K" << std::flush;
  }

  const EvaluateOptions& options_;
  Connection* const connection_;
  const v1::ModelInfo model_;
  const std::vector<LabelledPicture> pictures_;
  const Io& io_;
  Evaluation evaluation_;
  TimePoint start_;
  TimePoint next_progress_;
  bool lost_ = false;
};

int RunEvaluate(const EvaluateOptions& options, const Io& io) {
  const auto connection = ConnectOrFail(io, options.connection);
  if (!connection) return kExitUnreachable;
  const auto model = connection->GetModel(
      options.model.name, options.model.version, options.deadline());
  if (!model.ok()) return FailCall(io, *connection, model.status());
  auto pictures = FindLabelledPictures(
      options.folder, {model->labels().begin(), model->labels().end()});
  if (!pictures.ok()) {
    return Fail(io, kExitWrongUsage, std::string(pictures.status().message()));
  }
  return Evaluating(options, connection.get(), *model, *std::move(pictures), io)
      .Run();
}

}  // namespace

Command AddEvaluate(CLI::App* parent) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* app = parent->add_subcommand(
      "evaluate", "Accuracy on a folder of labelled pictures");
  app->add_option(
         "FOLDER", options->folder,
         "FOLDER/<label>/<picture>: each folder has the name of one of "
         "the model's labels")
      ->required()
      ->check(CLI::ExistingDirectory);
  app->add_option("--concurrency", options->concurrency,
                  "How many pictures at a time, 1 to 1024")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  app->add_flag("--json", options->json,
                "One JSON object instead of the tables");
  AddModelOptions(app, &options->model);
  AddConnectionOptions(app, &options->connection);
  AddDeadlineOption(app, &options->deadline_ms);
  app->footer(
      "Examples:\n"
      "  groupmamba-client evaluate testset/\n"
      "  groupmamba-client evaluate --json testset/ | jq .top1\n"
      "  groupmamba-client metadata --json | jq '.labels[]'    # the folders' "
      "names\n"
      "\n"
      "A picture that gets no answer counts as failed, not as wrong, and makes "
      "the exit code 1.\n"
      "A call that a full or starting server refused is tried again, at most "
      "five times.");
  return {app, [options](const Io& io) { return RunEvaluate(*options, io); }};
}

}  // namespace groupmamba::client
