// How fast the engine is, and how near to the machine's limit.
//
// For every model, batch size and number of threads: pictures a second of the
// engine as the server calls it, the rate of arithmetic that this is (at the
// models' fixed count of operations), the best rate at which this machine
// multiplies matrices on as many threads, and the ratio of the two. All are
// measured in turns, round by round, so that a busy minute hits all alike; a
// figure is the median of the rounds.
//
// The engines: "native", our kernels; "torch", the same network of LibTorch's
// operators; "naive", the operators as the authors' code calls them.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "bench/matmul_limit.h"
#include "bench/naive_engine.h"
#include "bench/provenance.h"
#include "model/engine.h"
#include "model/freed_memory.h"
#include "nlohmann/json.hpp"

namespace groupmamba::bench {
namespace {

struct Options {
  std::string models = "build/models";
  std::vector<std::string> variants = {"tiny"};
  std::vector<int> batches = {1, 8};
  std::vector<int> threads = {1, 2};
  std::vector<std::string> engines = {"native", "naive"};
  std::string precision = "fp32";
  int size = 224;
  int rounds = 7;
  bool json = false;
};

// Operations a picture, a multiplication and an addition counted as two: the
// models' own count, whatever an engine computes. It grows with the area.
double FlopsOf(const std::string& variant, int size) {
  static const std::map<std::string, double> flops = {
      {"tiny", 9.30e9}, {"small", 14.41e9}, {"base", 28.13e9}};
  const auto found = flops.find(variant);
  const double side = size / 224.0;
  return found == flops.end() ? 0 : found->second * side * side;
}

// LibTorch's threads spin for milliseconds after each of its operators, and
// would take a core from whatever is measured next: so they may fall asleep
// first.
double SecondsOf(const std::function<void()>& run) {
  absl::SleepFor(absl::Milliseconds(20));
  const absl::Time start = absl::Now();
  run();
  return absl::ToDoubleSeconds(absl::Now() - start);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// One line of the result.
struct Row {
  std::string variant;
  std::string engine;
  int batch;
  std::vector<double> seconds;  // by round
};

// The engine of a row, with a batch of noise.
class Candidate {
 public:
  static absl::StatusOr<Candidate> Load(const Options& options,
                                        const std::string& variant,
                                        const std::string& engine,
                                        int threads) {
    GM_ASSIGN_OR_RETURN(ModelFolder model,
                        ReadModelFolder(options.models + "/" + variant + "/1"));
    model.config.input.crop = options.size;
    GM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> loaded,
                        LoadEngineOf(options, engine, model, threads));
    return Candidate(model.config, std::move(loaded));
  }

  absl::Status Run(int batch) {
    std::vector<const uint8_t*> images(batch);
    for (int i = 0; i < batch; ++i) images[i] = pixels_.data() + i * 3;
    std::vector<float> logits(size_t{1} * batch * classes_);
    return engine_->Infer(images, absl::MakeSpan(logits));
  }

 private:
  static constexpr int kMaxBatch = 256;

  static absl::StatusOr<std::unique_ptr<Engine>> LoadEngineOf(
      const Options& options, const std::string& engine,
      const ModelFolder& model, int threads) {
    if (engine == "naive") {
      return LoadNaiveEngine(model, threads, options.precision == "bf16");
    }
    return LoadEngine(
        model,
        {.implementation = engine == "torch" ? EngineImplementation::kTorch
                                             : EngineImplementation::kNative,
         .device = "cpu",
         .precision = options.precision,
         .threads = threads});
  }

  Candidate(const ModelConfig& config, std::unique_ptr<Engine> engine)
      : classes_(config.classes),
        pixels_(size_t{3} * config.input.crop * config.input.crop +
                3 * kMaxBatch),
        engine_(std::move(engine)) {
    std::mt19937 random(1);
    for (uint8_t& pixel : pixels_) pixel = random();
  }

  int classes_;
  std::vector<uint8_t> pixels_;
  std::unique_ptr<Engine> engine_;
};

// All rows of one variant and number of threads, and the limit beside them.
absl::Status Measure(const Options& options, const std::string& variant,
                     int threads, nlohmann::json* results) {
  std::vector<MatmulContender> products =
      MatmulContenders(threads, options.precision == "bf16");
  std::vector<std::vector<double>> product_seconds(products.size());
  std::vector<Row> rows;
  std::vector<Candidate> candidates;  // one an engine
  for (const std::string& engine : options.engines) {
    GM_ASSIGN_OR_RETURN(Candidate candidate,
                        Candidate::Load(options, variant, engine, threads));
    candidates.push_back(std::move(candidate));
    for (const int batch : options.batches) {
      rows.push_back({variant, engine, batch, {}});
    }
  }
  // Round -1 warms up and is not counted.
  for (int round = -1; round < options.rounds; ++round) {
    for (size_t i = 0; i < products.size(); ++i) {
      const double seconds = SecondsOf(products[i].run);
      if (round >= 0) product_seconds[i].push_back(seconds);
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      absl::Status status;
      const double seconds = SecondsOf([&] {
        status = candidates[i / options.batches.size()].Run(rows[i].batch);
      });
      GM_RETURN_IF_ERROR(status);
      if (round >= 0) rows[i].seconds.push_back(seconds);
    }
  }
  double gemm = 0;
  for (size_t i = 0; i < products.size(); ++i) {
    const double rate = products[i].flops / Median(product_seconds[i]) / 1e9;
    std::fprintf(stderr, "%d threads: %s: %.0f GFLOP/s\n", threads,
                 products[i].name.c_str(), rate);
    gemm = std::max(gemm, rate);
  }
  for (const Row& row : rows) {
    const double rate = row.batch / Median(row.seconds);
    const double gflops = rate * FlopsOf(variant, options.size) / 1e9;
    results->push_back({{"variant", variant},
                        {"engine", row.engine},
                        {"precision", options.precision},
                        {"size", options.size},
                        {"batch", row.batch},
                        {"threads", threads},
                        {"images_per_s", rate},
                        {"gflops", gflops},
                        {"gemm_gflops", gemm},
                        {"ratio", gflops / gemm}});
    std::fprintf(stderr,
                 "%-6s %-7s batch %3d, %d threads: %7.2f images/s, %5.1f"
                 " GFLOP/s, %.2f of the product's\n",
                 variant.c_str(), row.engine.c_str(), row.batch, threads, rate,
                 gflops, gflops / gemm);
  }
  return absl::OkStatus();
}

absl::Status Run(const Options& options) {
  std::fprintf(stderr, "%s\n", Provenance().c_str());
  nlohmann::json results = nlohmann::json::array();
  for (const std::string& variant : options.variants) {
    for (const int threads : options.threads) {
      GM_RETURN_IF_ERROR(Measure(options, variant, threads, &results));
    }
  }
  if (options.json) {
    std::cout << nlohmann::json{{"machine", Provenance()}, {"results", results}}
                     .dump(2)
              << "\n";
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace groupmamba::bench

int main(int argc, char** argv) {
  groupmamba::KeepFreedMemory();  // for the naive engine, too
  groupmamba::bench::Options options;
  CLI::App app(
      "Pictures a second of the engine, beside the machine's best matrix "
      "product.\nThe models are what `./dev make-model VARIANT` writes.");
  const auto add = [&](const char* name, auto* value, const char* help) {
    app.add_option(name, *value, help)->delimiter(',')->capture_default_str();
  };
  add("--variants", &options.variants, "tiny,small,base");
  add("--batches", &options.batches, "Pictures a call, up to 256");
  add("--threads", &options.threads, "Threads of the engine");
  add("--engines", &options.engines, "native, torch, naive");
  app.add_option("--models", options.models, "Folder of models")
      ->capture_default_str();
  app.add_option("--precision", options.precision,
                 "fp32 or bf16 (not with torch)")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  app.add_option("--size", options.size, "Pixels of a picture's side")
      ->check(CLI::Range(32, 2048))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print results as JSON");
  CLI11_PARSE(app, argc, argv);
  absl::Status status;
  // A thread of its own, as an instance has in the server.
  std::thread([&] { status = groupmamba::bench::Run(options); }).join();
  if (status.ok()) return 0;
  std::cerr << "model_bench: " << status.message() << "\n";
  return 1;
}
