// What do our kernels bring to training on the processor? Against the SS2D core
// as a composition of LibTorch's operators, with a scan in two levels and its
// gradient by autograd:
//
// - forward and backward of the core, at the tiny model's four stages, the four
//   directions together;
// - a whole training step of the tiny model as the trainer does it (forward,
//   distilled loss, backward, clipping, AdamW, average): our network; the same
//   network with the composed core; and one of LibTorch's operators only;
// - the peak memory of such a step, each in a process of its own.
//
// All take turns, round by round, with as many threads; a figure is the median
// of the rounds. The aims: 5 times, 1.4 times the images a second, 0.7 of the
// memory.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/randn.h"
#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/composed_operators.h"
#include "bench/provenance.h"
#include "model/config.h"
#include "model/freed_memory.h"
#include "model/ss2d_op.h"
#include "model/training/learner.h"

namespace groupmamba::bench {
namespace {

struct Options {
  int threads = 2;
  int rounds = 7;
  int batch = 8;
  int side = 224;
  std::string only = "all";
  std::string memory_of;
  int steps = 2;  // so that gradients and moments are there
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Whose operators run.
constexpr const char* kOurs = "ours";
constexpr const char* kComposedCore = "composed-core";
constexpr const char* kLibTorch = "libtorch";

// Runs with these operators while it lives.
struct With {
  explicit With(std::string_view whose) {
    if (whose != kOurs) composed.emplace(/*everything=*/whose == kLibTorch);
  }
  std::optional<ComposedOperators> composed;
};

// Median seconds of each, in turns; round -1 warms up.
std::vector<double> InTurns(int rounds, const std::vector<const char*>& whose,
                            const std::function<void()>& run) {
  std::vector<std::vector<double>> seconds(whose.size());
  for (int round = -1; round < rounds; ++round) {
    for (size_t i = 0; i < whose.size(); ++i) {
      const With with(whose[i]);
      const absl::Time start = absl::Now();
      run();
      if (round >= 0) {
        seconds[i].push_back(absl::ToDoubleSeconds(absl::Now() - start));
      }
    }
  }
  std::vector<double> medians;
  medians.reserve(seconds.size());
  for (const std::vector<double>& its : seconds) medians.push_back(Median(its));
  return medians;
}

struct Stage {
  int64_t channels;
  int64_t cells;  // of the picture's side
};
constexpr Stage kCoreStages[] = {{16, 4}, {32, 8}, {87, 16}, {112, 32}};

// xz and the parameters of one group.
struct Group {
  Group(int64_t batch, int64_t tokens, int64_t d)
      : xz(at::randn({batch, tokens, 2 * d})),
        parameters{at::randn({d, 1, 3, 3}) / 3,
                   at::randn({d}) / 3,
                   at::randn({1, Rank(d) + 2, d}) / std::sqrt(d),
                   at::randn({1, d, Rank(d)}),
                   at::rand({1, d}) * 4 - 6,
                   at::randn({d, 1}) / 2,
                   at::randn({d}),
                   at::rand({d}) + 0.5,
                   at::randn({d})} {
    for (at::Tensor* leaf : Leaves()) leaf->set_requires_grad(true);
  }

  static int64_t Rank(int64_t d) { return (d + 15) / 16; }

  std::vector<at::Tensor*> Leaves() {
    Ss2dParameters& p = parameters;
    return {&xz,
            &p.convolution_weight,
            &p.convolution_bias,
            &p.x_proj_weight,
            &p.dt_projs_weight,
            &p.dt_projs_bias,
            &p.a_logs,
            &p.ds,
            &p.out_norm_weight,
            &p.out_norm_bias};
  }

  at::Tensor xz;
  Ss2dParameters parameters;
};

void MeasureCore(const Options& options) {
  double product = 1;
  for (const Stage& stage : kCoreStages) {
    const int64_t side = (options.side + stage.cells - 1) / stage.cells;
    const int64_t tokens = side * side;
    std::vector<Group> groups;
    groups.reserve(4);
    for (int g = 0; g < 4; ++g) {
      groups.emplace_back(options.batch, tokens, stage.channels);
    }
    const at::Tensor dout = at::randn({options.batch, tokens, stage.channels});
    const std::vector<double> seconds =
        InTurns(options.rounds, {kOurs, kComposedCore}, [&] {
          for (int g = 0; g < 4; ++g) {
            Ss2dCore(groups[g].xz, groups[g].parameters, {side, side},
                     static_cast<kernels::Direction>(g), 1e-5)
                .backward(dout);
            for (at::Tensor* leaf : groups[g].Leaves())
              leaf->mutable_grad().reset();
          }
        });
    const double values =
        4.0 * static_cast<double>(options.batch * tokens * stage.channels);
    const double ours = seconds[0], composed = seconds[1];
    product *= composed / ours;
    std::printf(
        "SS2D core, %3d channels, %2dx%2d: ours %7.2f ms (%5.2f ns a value on "
        "%d threads), composed %8.2f ms, ratio %.2f\n",
        static_cast<int>(stage.channels), static_cast<int>(side),
        static_cast<int>(side), 1e3 * ours, 1e9 * ours / values,
        options.threads, 1e3 * composed, composed / ours);
  }
  std::printf("geometric mean of the ratios %.2f (aim: 5 for each)\n",
              std::pow(product, 0.25));
}

// A teacher that costs nothing: its answer is always the same.
class IdleTeacher final : public training::Teacher {
 public:
  at::Tensor Targets(const training::Batch& batch) const override {
    return training::SoftTargets(at::zeros_like(batch.labels), 1000,
                                 /*smoothing=*/0, /*share=*/1);
  }
};

class Step {
 public:
  explicit Step(const Options& options)
      : learner_(training::Learner::Create(PublishedVariant("tiny").value(),
                                           {.alpha = 0.5,
                                            .label_smoothing = 0.1,
                                            .weight_decay = 0.05,
                                            .clip = 5,
                                            .drop_path = 0.1,
                                            .seed = 1},
                                           &teacher_)
                     .value()),
        batch_{
            .images = at::randn({options.batch, 3, options.side, options.side}),
            .labels = at::arange(options.batch, at::kLong)} {}

  double Run() { return learner_->Step(batch_, step_++, 1e-4, 0.999).loss; }

 private:
  IdleTeacher teacher_;
  std::unique_ptr<training::Learner> learner_;
  training::Batch batch_;
  int64_t step_ = 0;
};

void MeasureStep(const Options& options) {
  Step step(options);
  const std::vector<double> seconds = InTurns(
      options.rounds, {kOurs, kComposedCore, kLibTorch}, [&] { step.Run(); });
  std::printf(
      "training step of tiny, batch %d, %d pixels, fp32, %d threads: ours %.2f "
      "images/s; composed core %.2f, ratio %.2f; LibTorch's operators only "
      "%.2f, ratio %.2f (aim: 1.4)\n",
      options.batch, options.side, options.threads, options.batch / seconds[0],
      options.batch / seconds[1], seconds[1] / seconds[0],
      options.batch / seconds[2], seconds[2] / seconds[0]);
}

// VmHWM, in MiB.
double PeakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

// In the process of its own.
void PrintMemory(const Options& options) {
  const With with(options.memory_of);
  Step step(options);
  for (int i = 0; i < options.steps; ++i) step.Run();
  std::printf("%.0f\n", PeakMemory());
}

double MemoryOf(const Options& options, const char* whose) {
  // Read here: to a shell, /proc/self would be itself.
  std::array<char, 4096> self{};
  if (readlink("/proc/self/exe", self.data(), self.size() - 1) < 0) return 0;
  const std::string command = absl::StrCat(
      self.data(), " --memory-of ", whose, " --threads ", options.threads,
      " --batch ", options.batch, " --side ", options.side);
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return 0;
  double mebibytes = 0;
  if (std::fscanf(pipe, "%lf", &mebibytes) != 1) mebibytes = 0;
  pclose(pipe);
  return mebibytes;
}

void MeasureMemory(const Options& options) {
  const double ours = MemoryOf(options, kOurs);
  const double composed = MemoryOf(options, kComposedCore);
  const double libtorch = MemoryOf(options, kLibTorch);
  std::printf(
      "peak memory of two such steps: ours %.0f MiB; composed core %.0f MiB, "
      "ratio %.2f; LibTorch's operators only %.0f MiB, ratio %.2f (aim: 0.7)\n",
      ours, composed, ours / composed, libtorch, ours / libtorch);
}

void Run(const Options& options) {
  at::set_num_threads(options.threads);
  at::manual_seed(1);
  if (!options.memory_of.empty()) return PrintMemory(options);
  std::fprintf(stderr, "%s\n", Provenance().c_str());
  const auto wanted = [&](const char* part) {
    return options.only == "all" || options.only == part;
  };
  if (wanted("core")) MeasureCore(options);
  if (wanted("step")) MeasureStep(options);
  if (wanted("memory")) MeasureMemory(options);
}

}  // namespace
}  // namespace groupmamba::bench

int main(int argc, char** argv) {
  groupmamba::bench::Options options;
  CLI::App app(
      "Training on the processor: our SS2D core against a composition of "
      "LibTorch's operators.");
  app.add_option("--threads", options.threads, "LibTorch's threads")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Pictures a step")
      ->check(CLI::Range(2, 512))
      ->capture_default_str();
  app.add_option("--side", options.side, "Pixels of a picture's side")
      ->check(CLI::Range(32, 1024))
      ->capture_default_str();
  app.add_option("--only", options.only, "all, core, step or memory")
      ->check(CLI::IsMember({"all", "core", "step", "memory"}))
      ->capture_default_str();
  app.add_option("--memory-of", options.memory_of,
                 "Runs --steps and prints the process's peak memory in MiB: "
                 "ours, composed-core or libtorch")
      ->check(CLI::IsMember({"ours", "composed-core", "libtorch"}));
  app.add_option("--steps", options.steps, "Steps of --memory-of")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  groupmamba::KeepFreedMemory();  // as the trainer
  groupmamba::bench::Run(options);
  return 0;
}
