// groupmamba-train: trains a GroupMamba and writes a model folder.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ATen/Parallel.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "model/freed_memory.h"
#include "model/training/curves.h"
#include "model/training/device.h"
#include "model/training/fashion.h"
#include "model/training/launch.h"
#include "model/training/open_pictures.h"
#include "model/training/peers.h"
#include "model/training/pictures.h"
#include "model/training/settings.h"
#include "model/training/teacher.h"
#include "model/training/teacher_labels.h"
#include "model/training/trainer.h"
#include "opencv2/core/utility.hpp"

namespace groupmamba::training {
namespace {

constexpr char kAbout[] =
    R"(Trains a GroupMamba with the paper's objective, and writes a model folder that
groupmamba-server can serve. Without --data on Fashion-MNIST (Debian:
dataset-fashion-mnist); docs/training.md tells of other data, and of teachers.

  groupmamba-train --out models/fashion/1
  groupmamba-train --out models/fashion/2 --teacher models/fashion/1
  groupmamba-train --out models/own/1 --recipe imagenet --data PICTURES
  groupmamba-train --out models/fashion/1 --processes 2 --threads 1

It may be stopped at any moment: Ctrl-C or SIGTERM write a checkpoint, and the same
command goes on from there, to the same bits as without the stop; killed, it goes on
from the last checkpoint, to the same bits too. Several processes, here (--processes)
or on many machines (started by torchrun or as a PyTorchJob, which set RANK,
WORLD_SIZE, MASTER_ADDR and MASTER_PORT), share every batch; with --device cuda each
has a GPU of its own. Every flag can
also be a variable, GROUPMAMBA_TRAIN_BATCH for --batch, or a line `name = value` of
the file that --config names; the earlier in that list wins.

  groupmamba-train --plot RUN [RUN...] [--html FILE]

draws the logs of finished or running runs, folders of theirs: loss, gradient norm,
accuracy, learning rate and speed, on one page that opens offline (FILE,
training.html unless it says otherwise).

Exit codes: 0 trained; 1 failed; 2 wrong usage; 3 stopped, to be gone on with.)";

constexpr int kFailed = 1;
constexpr int kUsage = 2;

volatile std::sig_atomic_t stop_requested = 0;

void RequestStop(int) { stop_requested = 1; }

struct Data {
  std::unique_ptr<PictureSource> train;
  std::unique_ptr<PictureSource> test;
};

// The settings' data; `settings` learns how many classes they have.
absl::StatusOr<Data> Open(TrainSettings* settings) {
  Data data;
  GM_ASSIGN_OR_RETURN(data.train,
                      OpenPictures(settings->data, FashionSplit::kTrain,
                                   settings->train_limit));
  GM_ASSIGN_OR_RETURN(
      data.test,
      OpenPictures(settings->data, FashionSplit::kTest, settings->test_limit));
  GM_RETURN_IF_ERROR(CheckSameClasses(*data.train, *data.test));
  settings->classes = static_cast<int>(data.train->labels().size());
  return data;
}

// --write-teacher-labels
absl::Status WriteAnswers(const TrainSettings& settings,
                          const PictureSource& pictures,
                          const Teacher& teacher) {
  std::fprintf(stderr, "asking the teacher about %lld pictures\n",
               static_cast<long long>(pictures.count()));
  BrokenPictures broken(settings.pictures.max_broken);
  GM_ASSIGN_OR_RETURN(const std::vector<int32_t> answers,
                      AskTeacher(teacher, pictures, &broken,
                                 {.input = MakeModelConfig(settings).input,
                                  .augment = std::nullopt,
                                  .threads = settings.pictures.loader_threads},
                                 DeviceOf(settings.run)));
  return WriteTeacherLabels(settings.teaching.write_labels, answers,
                            HashOfPictures(pictures));
}

// `place`: among several processes; nothing: this is the only one.
absl::Status Train(TrainSettings settings,
                   const std::optional<PeerSpec>& place) {
  KeepFreedMemory();
  at::set_num_threads(settings.threads);
  cv::setNumThreads(1);  // the loader's own threads share out the pictures
  const bool first = !place || place->rank == 0;
  GM_ASSIGN_OR_RETURN(
      const at::Device device,
      ChooseDevice(settings.run.device, place ? place->local_rank : 0,
                   place ? place->local_size : 1));
  settings.run.device = device.str();
  if (!device.is_cpu()) {
    std::fprintf(stderr, "training on %s\n", settings.run.device.c_str());
  }
  if (first) std::fprintf(stderr, "looking at the pictures\n");
  GM_ASSIGN_OR_RETURN(Data data, Open(&settings));
  GM_ASSIGN_OR_RETURN(std::unique_ptr<Teacher> teacher,
                      LoadTeacher(settings.teacher, MakeModelConfig(settings),
                                  {.device = device,
                                   .side = settings.teaching.side,
                                   .mean = settings.teaching.mean,
                                   .std = settings.teaching.std,
                                   .pictures = data.train.get()}));
  if (!settings.teaching.write_labels.empty()) {
    return WriteAnswers(settings, *data.train, *teacher);
  }
  std::unique_ptr<Peers> peers;
  if (place) {
    GM_ASSIGN_OR_RETURN(peers, Peers::Join(*place, RealClock::Get(), device));
  }
  GM_ASSIGN_OR_RETURN(
      std::unique_ptr<Trainer> trainer,
      Trainer::Create(settings, std::move(data.train), std::move(data.test),
                      std::move(teacher), RealClock::Get(), peers.get()));
  GM_RETURN_IF_ERROR(trainer->Run([] { return stop_requested != 0; }));
  if (first) std::printf("top-1 %.2f %%\n", 100 * trainer->top1());
  return absl::OkStatus();
}

int Report(const absl::Status& status) {
  if (status.ok()) {
    return 0;
  }
  std::fprintf(stderr, "groupmamba-train: %s\n",
               std::string(status.message()).c_str());
  return absl::IsCancelled(status) ? kStoppedCode : kFailed;
}

int TrainAndReport(const TrainSettings& settings,
                   const std::optional<PeerSpec>& place) {
  std::signal(SIGINT, RequestStop);
  std::signal(SIGTERM, RequestStop);
  try {
    return Report(Train(settings, place));
  } catch (const std::exception& error) {  // LibTorch's and Peers'
    return Report(absl::UnavailableError(error.what()));
  }
}

// Where the environment says so, this is one of several processes.
absl::StatusOr<std::optional<PeerSpec>> FindPlace(TrainSettings* settings) {
  GM_ASSIGN_OR_RETURN(std::optional<PeerSpec> place,
                      PeerFromEnvironment(std::getenv));
  if (place) {
    if (settings->run.processes != 1) {
      return absl::InvalidArgumentError(
          "--processes starts processes here, but WORLD_SIZE says that "
          "another program has started them: give one or the other");
    }
    settings->run.processes = place->size;
    place->timeout_s = settings->run.peer_timeout_s;
  }
  return place;
}

// Reads the command line; a program that is to end with a code, or nothing.
std::optional<int> Parse(CLI::App* app, int argc, char** argv) {
  app->formatter(std::make_shared<HelpFormatter>());
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app->exit(error);
    std::fprintf(stderr, "groupmamba-train: %s\nTry --help.\n",
                 DescribeUsageError(error).c_str());
    return kUsage;
  }
  return std::nullopt;
}

int PlotMain(int argc, char** argv) {
  std::vector<std::string> folders;
  std::string html = "training.html";
  CLI::App app("Draws the logs of training runs.", "groupmamba-train");
  app.add_option("--plot", folders, "Folders that runs write to, at least one")
      ->required();
  app.add_option("--html", html, "The page to write")->capture_default_str();
  if (const std::optional<int> code = Parse(&app, argc, argv)) return *code;
  return Report(PlotRuns(folders, html));
}

int Main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (absl::string_view(argv[i]) == "--plot") return PlotMain(argc, argv);
  }
  TrainSettings settings;
  CLI::App app(kAbout, "groupmamba-train");
  AddFlags(&app, &settings);
  if (const std::optional<int> code = Parse(&app, argc, argv)) return *code;
  const auto place = FindPlace(&settings);
  absl::Status usable = place.ok() ? CheckSettings(settings) : place.status();
  usable.Update(CheckDevice(settings.run.device));
  if (!usable.ok()) {
    std::fprintf(stderr, "groupmamba-train: %s\n",
                 std::string(usable.message()).c_str());
    return kUsage;
  }
  if (settings.run.processes == 1 || *place) {
    return TrainAndReport(settings, *place);
  }
  return RunLocally(settings.run.processes, [&settings](PeerSpec spec) {
    spec.timeout_s = settings.run.peer_timeout_s;
    return TrainAndReport(settings, spec);
  });
}

}  // namespace
}  // namespace groupmamba::training

int main(int argc, char** argv) {
  return groupmamba::training::Main(argc, argv);
}
