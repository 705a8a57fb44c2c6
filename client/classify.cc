// classify: pictures in, labels out.

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/classify_output.h"
#include "client/command.h"
#include "client/ordered_calls.h"
#include "client/picture_files.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

// Longer paths push their row to the right rather than all rows.
constexpr int kMaxPathWidth = 48;

struct ClassifyOptions {
  ConnectionOptions connection;
  ModelOptions model;
  int deadline_ms = 30000;
  int top_k = 5;
  int concurrency = 4;
  bool json = false;
  std::vector<std::string> paths;
};

// One run of the command: prints each picture's answer as its turn comes.
class Classifying {
 public:
  Classifying(const ClassifyOptions& options, Connection* connection,
              std::vector<PictureFile> files, const Io& io)
      : options_(options),
        connection_(connection),
        files_(std::move(files)),
        io_(io) {
    for (const PictureFile& file : files_) {
      path_width_ = std::max(path_width_, DisplayWidth(Printable(file.path)));
    }
    path_width_ = std::min(path_width_, kMaxPathWidth);
  }

  int Run() {
    const TimePoint start = io_.clock->Now();
    RunInOrder<ClassifyOutcome>(
        files_.size(), options_.concurrency,
        [this](size_t i, auto done) { Start(i, std::move(done)); },
        [this](size_t i, const ClassifyOutcome& outcome) {
          Print(files_[i].path, outcome);
          return !lost_;
        });
    if (!options_.json && !lost_) {
      *io_.out << "\n" << summary_.Format(io_.clock->Now() - start);
    }
    if (lost_) {
      return Fail(io_, kExitUnreachable, connection_->UnreachableMessage());
    }
    return summary_.failed() > 0 ? kExitSomeFailed : kExitOk;
  }

 private:
  void Start(size_t i, std::function<void(ClassifyOutcome)> done) {
    const PictureFile& file = files_[i];
    if (!file.status.ok()) return done({file.status});
    auto bytes = ReadPicture(file.path, kMaxPictureBytes, io_.in);
    if (!bytes.ok()) return done({bytes.status()});
    auto request = std::make_shared<v1::ClassifyRequest>();
    request->set_model(options_.model.name);
    request->set_version(options_.model.version);
    request->set_encoded(*std::move(bytes));
    request->set_top_k(options_.top_k);
    connection_->StartClassify(std::move(request),
                               std::chrono::milliseconds(options_.deadline_ms),
                               std::move(done));
  }

  void Print(const std::string& path, const ClassifyOutcome& outcome) {
    const absl::Status& status = outcome.response.status();
    if (status.ok()) {
      summary_.Add(*outcome.response, outcome.round_trip);
      *io_.out << (options_.json
                       ? ClassifyJsonLine(path, *outcome.response,
                                          outcome.round_trip) +
                             "\n"
                       : ClassifyRows(path, path_width_, *outcome.response,
                                      io_.out_is_terminal));
    } else {
      summary_.AddFailure();
      lost_ = lost_ || connection_->IsLost(status);
      if (options_.json) {
        *io_.out << ClassifyJsonError(path, status) << "\n";
      } else {
        Fail(io_, kExitSomeFailed, Printable(path) + ": " + Describe(status));
      }
    }
    *io_.out << std::flush;
  }

  const ClassifyOptions& options_;
  Connection* const connection_;
  const std::vector<PictureFile> files_;
  const Io& io_;
  int path_width_ = 0;
  bool lost_ = false;
  ClassifySummary summary_;
};

}  // namespace

Command AddClassify(CLI::App* parent) {
  auto options = std::make_shared<ClassifyOptions>();
  CLI::App* app = parent->add_subcommand(
      "classify", "Labels for pictures: files, folders or standard input");
  app->add_option("PATH", options->paths,
                  "A file, sent whatever its name; a folder, searched with all "
                  "below it for .jpg .jpeg .png .webp; - for standard input")
      ->required();
  app->add_option("--top-k", options->top_k,
                  "How many labels a picture, most probable first; 1 to 100000")
      ->capture_default_str()
      ->type_name("K")
      ->check(CLI::Range(1, 100000));
  app->add_option(
         "--concurrency", options->concurrency,
         "How many pictures at a time, 1 to 1024; the output keeps its "
         "order")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  app->add_flag("--json", options->json,
                "One JSON object a line instead of the table");
  AddModelOptions(app, &options->model);
  AddConnectionOptions(app, &options->connection);
  AddDeadlineOption(app, &options->deadline_ms);
  app->footer(
      "Examples:\n"
      "  groupmamba-client classify cat.jpg\n"
      "  groupmamba-client classify --top-k 1 --target gpu-3:8001 photos/\n"
      "  curl -s https://example.org/cat.jpg | groupmamba-client classify -\n"
      "  groupmamba-client classify --json photos/ | jq -r "
      "'[.path, .predictions[0].label] | @tsv'\n"
      "\n"
      "With --json a picture is {\"path\", \"model\", \"version\", "
      "\"predictions\": [{\"label\",\n"
      "\"index\", \"probability\"}], \"timing_ms\"}, or {\"path\", \"error\": "
      "{\"code\", \"message\"}}.\n"
      "A call that a full or starting server refused is tried again, at most "
      "five times.");
  return {app, [options](const Io& io) -> int {
            const auto connection = ConnectOrFail(io, options->connection);
            if (!connection) return kExitUnreachable;
            return Classifying(*options, connection.get(),
                               FindPictures(options->paths), io)
                .Run();
          }};
}

}  // namespace groupmamba::client
