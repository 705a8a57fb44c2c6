// model_bench [MODEL_FOLDER [THREADS]]: pictures a second of the engine, as the
// server calls it, for batches of 1 and 8. The folder is one version of a
// model; without an argument, what `./dev make-model tiny` writes. THREADS 0:
// all cores.
//
// The figure is the median of the rounds; beside it the best round and the
// processor time, which say what the code can do on a machine with other work.

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "model/engine.h"

namespace groupmamba {
namespace {

constexpr int kRounds = 15;
constexpr absl::Duration kLimit = absl::Seconds(30);  // of a batch size

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown processor";
}

// What the process has used so far.
struct Usage {
  double cpu_seconds = 0;
  int64_t page_faults = 0;
};

Usage UsageSoFar() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return time.tv_sec + 1e-6 * time.tv_usec;
  };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_minflt};
}

struct Rounds {
  std::vector<double> seconds;  // of each, ascending
  Usage usage;                  // of all together
};

// The first two calls, which warm memory and caches up, are not counted.
absl::StatusOr<Rounds> Measure(Engine& engine, const ModelConfig& config,
                               int batch) {
  std::vector<uint8_t> pixels(size_t{3} * config.input.crop *
                              config.input.crop);
  std::mt19937 random(1);
  for (uint8_t& pixel : pixels) pixel = random();
  const std::vector<const uint8_t*> images(batch, pixels.data());
  std::vector<float> logits(size_t{1} * batch * config.classes);
  for (int i = 0; i < 2; ++i) {
    GM_RETURN_IF_ERROR(engine.Infer(images, absl::MakeSpan(logits)));
  }
  Rounds rounds;
  std::vector<double>& seconds = rounds.seconds;
  const Usage before = UsageSoFar();
  const absl::Time end = absl::Now() + kLimit;
  while (seconds.size() < kRounds && (seconds.empty() || absl::Now() < end)) {
    const absl::Time start = absl::Now();
    GM_RETURN_IF_ERROR(engine.Infer(images, absl::MakeSpan(logits)));
    seconds.push_back(absl::ToDoubleSeconds(absl::Now() - start));
  }
  const Usage after = UsageSoFar();
  rounds.usage = {after.cpu_seconds - before.cpu_seconds,
                  after.page_faults - before.page_faults};
  std::sort(seconds.begin(), seconds.end());
  return rounds;
}

absl::Status Run(const std::string& folder, int threads) {
  GM_ASSIGN_OR_RETURN(const ModelFolder model, ReadModelFolder(folder));
  GM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                      LoadEngine(model, {.threads = threads}));
  std::printf("%s; %u cores; model %s, %s, %d threads (0: all)\n",
              ProcessorName().c_str(), std::thread::hardware_concurrency(),
              model.name.c_str(), engine->precision().c_str(), threads);
  std::printf("%6s %10s %10s %12s %14s %14s\n", "batch", "images/s", "best",
              "ms a batch", "cpu ms/image", "faults a batch");
  for (const int batch : {1, 8}) {
    GM_ASSIGN_OR_RETURN(const Rounds rounds,
                        Measure(*engine, model.config, batch));
    const size_t count = rounds.seconds.size();
    const double median = rounds.seconds[count / 2];
    std::printf("%6d %10.2f %10.2f %12.1f %14.1f %14.0f\n", batch,
                batch / median, batch / rounds.seconds.front(), 1e3 * median,
                1e3 * rounds.usage.cpu_seconds / (count * batch),
                1.0 * rounds.usage.page_faults / count);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace groupmamba

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "build/models/tiny/1";
  int threads = 0;
  if (argc > 3 || (argc > 2 && !absl::SimpleAtoi(argv[2], &threads))) {
    std::fprintf(stderr, "usage: model_bench [MODEL_FOLDER [THREADS]]\n");
    return 2;
  }
  absl::Status status;
  // A thread of its own, as an instance has in the server.
  std::thread([&] { status = groupmamba::Run(folder, threads); }).join();
  if (status.ok()) return 0;
  std::cerr << "model_bench: " << status.message() << "\n";
  return 1;
}
