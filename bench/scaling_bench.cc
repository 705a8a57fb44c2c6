// How training grows with threads and with processes: steps of the bundled
// model's size, in fp32, beside the machine's best matrix product.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/Parallel.h"
#include "ATen/ops/randint.h"
#include "ATen/ops/randn.h"
#include "base/clock.h"
#include "base/cores.h"
#include "bench/matmul_limit.h"
#include "bench/provenance.h"
#include "model/manifest.h"
#include "model/training/launch.h"
#include "model/training/learner.h"
#include "model/training/peers.h"
#include "model/training/settings.h"

namespace groupmamba::bench {
namespace {

using training::PeerSpec;

struct Options {
  int64_t batch = 128;
  int steps = 12;
  int rounds = 3;
  int processes = static_cast<int>(UsableCores());
};

double Now() { return ToSeconds(RealClock::Get()->Now().time_since_epoch()); }

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Of one picture forward: two for each weight of a product or a convolution at
// each position that it is applied to. The scan, norms and activations, some
// percent, are left out.
double ForwardFlops(const ModelConfig& config) {
  double flops = 0;
  for (const ParameterSpec& spec : ListParameters(config)) {
    if (spec.shape.size() < 2 ||
        spec.name.find("A_logs") != std::string::npos) {
      continue;
    }
    int positions = 1;  // head, and the affinity's two, of a mean
    const int side = config.input.crop;
    const auto stage_side = [side](char stage) {
      return side >> (1 + stage - '0');  // a quarter, an eighth, ...
    };
    if (spec.name.rfind("patch_embed1.conv", 0) == 0) {
      positions = side / 2 * (side / 2);
    } else if (spec.name.rfind("patch_embed", 0) == 0) {
      positions = stage_side(spec.name[11]) * stage_side(spec.name[11]);
    } else if (spec.name.rfind("block", 0) == 0) {
      const bool affinity = spec.name.find(".mlp") == std::string::npos &&
                            spec.name.find(".ffn") == std::string::npos &&
                            spec.name.find(".fc") != std::string::npos;
      if (!affinity) {
        positions = stage_side(spec.name[5]) * stage_side(spec.name[5]);
      }
    }
    double weights = 1;
    for (const int64_t size : spec.shape) weights *= static_cast<double>(size);
    flops += 2 * weights * positions;
  }
  return flops;
}

// In GFLOP/s.
double BestProduct(int threads) {
  double best = 0;
  for (MatmulContender& contender : MatmulContenders(threads, /*bf16=*/false)) {
    std::vector<double> seconds;
    for (int round = -1; round < 7; ++round) {
      const double start = Now();
      contender.run();
      if (round >= 0) seconds.push_back(Now() - start);
    }
    best = std::max(best, contender.flops / Median(seconds) / 1e9);
  }
  return best;
}

// Pictures a second of all processes together, in the first of them.
absl::StatusOr<double> TrainingSpeed(const Options& options, int threads,
                                     const PeerSpec& place) {
  at::set_num_threads(threads);
  std::unique_ptr<training::Peers> peers;
  if (place.size > 1) {
    auto joined = training::Peers::Join(place, RealClock::Get());
    if (!joined.ok()) return joined.status();
    peers = *std::move(joined);
  }
  const training::TrainSettings settings;  // the bundled model's
  const ModelConfig config = MakeModelConfig(settings);
  auto learner = training::Learner::Create(
      config, {.clip = settings.clip, .peers = peers.get()}, nullptr);
  if (!learner.ok()) return learner.status();
  const int64_t share = options.batch / place.size;
  const training::Batch batch = {
      .images = at::randn({share, 3, settings.side, settings.side}),
      .labels = at::randint(config.classes, {share}, at::kLong)};
  std::vector<double> seconds;
  for (int step = -2; step < options.steps; ++step) {
    const double start = Now();
    (*learner)->Step(batch, step + 2, 1e-4, 0.9);
    if (step >= 0) seconds.push_back(Now() - start);
  }
  return static_cast<double>(options.batch) / Median(seconds);
}

// Runs `measure` in `processes` new ones and gives what the first one measured;
// 0 when it could not. New ones, since LibTorch's threads survive no fork.
double InProcesses(int processes,
                   const std::function<double(const PeerSpec&)>& measure) {
  int ends[2];
  if (pipe(ends) != 0) return 0;
  const int code = training::RunLocally(processes, [&](const PeerSpec& place) {
    const double measured = measure(place);
    if (place.rank != 0) return 0;
    return write(ends[1], &measured, sizeof(measured)) == sizeof(measured) ? 0
                                                                           : 1;
  });
  double measured = 0;
  if (code != 0 || read(ends[0], &measured, sizeof(measured)) < 0) measured = 0;
  close(ends[0]);
  close(ends[1]);
  return measured;
}

struct Row {
  int processes;
  int threads;
  std::vector<double> limits = {};  // GFLOP/s, by round
  std::vector<double> rates = {};   // images/s, by round
};

bool Measure(const Options& options, Row* row) {
  row->limits.push_back(InProcesses(1, [row](const PeerSpec&) {
    return BestProduct(row->processes * row->threads);
  }));
  row->rates.push_back(InProcesses(row->processes, [&](const PeerSpec& place) {
    const auto speed = TrainingSpeed(options, row->threads, place);
    if (speed.ok()) return *speed;
    std::fprintf(stderr, "scaling_bench: %s\n",
                 std::string(speed.status().message()).c_str());
    return 0.0;
  }));
  return row->limits.back() > 0 && row->rates.back() > 0;
}

int Run(const Options& options) {
  std::printf("%s\nbundled model's size, batch %lld, fp32, %d rounds\n",
              Provenance().c_str(), static_cast<long long>(options.batch),
              options.rounds);
  const double flops =
      3 * ForwardFlops(MakeModelConfig(training::TrainSettings()));
  Row rows[] = {{1, 1}, {1, options.processes}, {options.processes, 1}};
  // In turns: a busy minute hits all.
  for (int round = 0; round < options.rounds; ++round) {
    for (Row& row : rows) {
      if (!Measure(options, &row)) return 1;
    }
  }
  const double alone = Median(rows[0].rates);
  for (const Row& row : rows) {
    const double rate = Median(row.rates);
    const double limit = Median(row.limits);
    std::printf(
        "%d process(es) of %d thread(s): %6.1f images/s, %.2f times one; %5.1f "
        "GFLOP/s of the product's %.0f (%.2f)\n",
        row.processes, row.threads, rate, rate / alone, rate * flops / 1e9,
        limit, rate * flops / 1e9 / limit);
  }
  return 0;
}

}  // namespace
}  // namespace groupmamba::bench

int main(int argc, char** argv) {
  groupmamba::bench::Options options;
  CLI::App app(
      "Pictures a second of training, on one thread, on several, and in "
      "several "
      "processes, beside the machine's best matrix product. A step counts "
      "three "
      "times the forward pass's arithmetic.");
  app.add_option("--batch", options.batch, "Pictures in a step")
      ->check(CLI::Range(2, 8192))
      ->capture_default_str();
  app.add_option("--steps", options.steps, "Steps; the median counts")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--processes", options.processes, "Threads, and processes")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return groupmamba::bench::Run(options);
}
