// How many times faster than the plain loop nest (bench/plain_scan.h) is each
// implementation of the selective scan, on one core, at the four stage shapes
// of the tiny model? And, for training, what does the backward scan cost?
//
// Ends with a table: ns per token and channel, the ratio per shape, and the
// geometric mean. The limit aimed at: 1.5 on every shape, 2 as geometric mean.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "bench/plain_scan.h"
#include "bench/provenance.h"
#include "kernels/selective_scan.h"

namespace groupmamba::bench {
namespace {

using kernels::Direction;
using kernels::Isa;

struct StageShape {
  int channels;
  int side;  // the picture has side * side tokens
};
constexpr StageShape kStages[] = {{16, 56}, {32, 28}, {87, 14}, {112, 7}};

std::string Name(StageShape stage) {
  return std::to_string(stage.channels) + "x" +
         std::to_string(stage.side * stage.side);
}

// One image, dense, with the sizes that a network's tensors have.
struct Problem {
  explicit Problem(StageShape stage)
      : shape{1, stage.side, stage.side, stage.channels},
        u(Random(Elements(), -2, 2)),
        delta(Random(Elements(), -2, 2)),
        b(Random(Tokens(), -1, 1)),
        c(Random(Tokens(), -1, 1)),
        a(Random(stage.channels, -2, -0.5)),
        d(Random(stage.channels, 0.5, 1.5)),
        delta_bias(Random(stage.channels, -6, -2)),
        y(Elements()),
        h(stage.channels) {}

  int64_t Tokens() const { return shape.height * shape.width; }
  int64_t Elements() const { return Tokens() * shape.channels; }

  static std::vector<float> Random(int64_t count, float low, float high) {
    std::mt19937 random(count);
    std::uniform_real_distribution<float> value(low, high);
    std::vector<float> values(count);
    for (float& x : values) x = value(random);
    return values;
  }

  kernels::ScanInputs Inputs() const {
    return {{u.data(), 0, shape.channels},
            {delta.data(), 0, shape.channels},
            {b.data(), 0, 1},
            {c.data(), 0, 1},
            a.data(),
            d.data(),
            delta_bias.data()};
  }

  kernels::ScanShape shape;
  std::vector<float> u, delta, b, c, a, d, delta_bias, y, h;
};

void CountElements(benchmark::State& state, const Problem& problem) {
  state.SetItemsProcessed(state.iterations() * problem.Elements());
}

void RunPlain(benchmark::State& state, StageShape stage) {
  Problem p(stage);
  for (auto _ : state) {
    PlainScan(1, p.Tokens(), p.shape.channels, p.u.data(), p.delta.data(),
              p.b.data(), p.c.data(), p.a.data(), p.d.data(),
              p.delta_bias.data(), p.y.data(), p.h.data());
    benchmark::DoNotOptimize(p.y.data());
    benchmark::ClobberMemory();
  }
  CountElements(state, p);
}

void RunForward(benchmark::State& state, StageShape stage, Isa isa,
                Direction direction) {
  Problem p(stage);
  for (auto _ : state) {
    kernels::SelectiveScan(isa, p.shape, direction, p.Inputs(),
                           {p.y.data(), 0, p.shape.channels});
    benchmark::DoNotOptimize(p.y.data());
    benchmark::ClobberMemory();
  }
  CountElements(state, p);
}

void RunBackward(benchmark::State& state, StageShape stage, Isa isa) {
  Problem p(stage);
  std::vector<float> du(p.Elements()), ddelta(p.Elements()), db(p.Tokens()),
      dc(p.Tokens()), da(stage.channels), dd(stage.channels),
      dbias(stage.channels);
  for (auto _ : state) {
    kernels::SelectiveScanBackward(isa, p.shape, Direction::kLeftRight,
                                   p.Inputs(),
                                   {p.u.data(), 0, p.shape.channels},
                                   {{du.data(), 0, p.shape.channels},
                                    {ddelta.data(), 0, p.shape.channels},
                                    {db.data(), 0, 1},
                                    {dc.data(), 0, 1},
                                    da.data(),
                                    dd.data(),
                                    dbias.data()});
    benchmark::DoNotOptimize(du.data());
    benchmark::ClobberMemory();
  }
  CountElements(state, p);
}

// Prints as usual, and keeps the least ns per token and channel of each name:
// other work on the machine only ever adds to it.
class Reporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const auto rate = run.counters.find("items_per_second");
      if (run.run_type != Run::RT_Iteration || rate == run.counters.end()) {
        continue;
      }
      const double ns = 1e9 / rate->second.value;
      const auto [it, is_new] = best_.emplace(run.run_name.function_name, ns);
      if (!is_new) it->second = std::min(it->second, ns);
    }
  }

  double Best(const std::string& name) const {
    const auto found = best_.find(name);
    return found == best_.end() ? NAN : found->second;
  }

 private:
  std::map<std::string, double> best_;
};

void PrintRow(const Reporter& reporter, const std::string& kind) {
  double log_sum = 0;
  std::printf("%-20s", kind.c_str());
  for (const StageShape stage : kStages) {
    const double ns = reporter.Best(kind + "/" + Name(stage));
    const double ratio = reporter.Best("plain/" + Name(stage)) / ns;
    log_sum += std::log(ratio);
    std::printf("  %6.3f ns %5.2fx", ns, ratio);
  }
  std::printf("  %5.2fx\n", std::exp(log_sum / std::size(kStages)));
}

void RegisterAll(std::vector<std::string>* kinds) {
  const auto add = [&](const std::string& kind, auto run) {
    kinds->push_back(kind);
    for (const StageShape stage : kStages) {
      benchmark::RegisterBenchmark(
          (kind + "/" + Name(stage)).c_str(),
          [run, stage](benchmark::State& state) { run(state, stage); });
    }
  };
  add("plain", RunPlain);
  for (const Isa isa : kernels::SupportedIsas()) {
    const std::string name = kernels::IsaName(isa);
    add(name, [isa](benchmark::State& state, StageShape stage) {
      RunForward(state, stage, isa, Direction::kLeftRight);
    });
    add(name + " columns", [isa](benchmark::State& state, StageShape stage) {
      RunForward(state, stage, isa, Direction::kBottomTop);
    });
    add(name + " backward", [isa](benchmark::State& state, StageShape stage) {
      RunBackward(state, stage, isa);
    });
  }
}

}  // namespace
}  // namespace groupmamba::bench

int main(int argc, char** argv) {
  std::vector<std::string> kinds;
  groupmamba::bench::RegisterAll(&kinds);
  // Many short repetitions of everything in mixed order, so that a slow moment
  // of the machine falls on all alike. The command line's flags come later, and
  // win.
  std::vector<char*> arguments = {argv[0]};
  std::string defaults[] = {"--benchmark_repetitions=9",
                            "--benchmark_min_time=0.02",
                            "--benchmark_enable_random_interleaving=true",
                            "--benchmark_report_aggregates_only=false"};
  for (std::string& flag : defaults) arguments.push_back(flag.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  groupmamba::bench::Reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  std::printf(
      "\n%s\nns per token and channel on one core, and times faster than the "
      "plain "
      "loop nest\n(aim: 1.5x on every shape, 2x as geometric mean)\n%-20s",
      groupmamba::bench::Provenance().c_str(), "channels x tokens");
  for (const auto stage : groupmamba::bench::kStages) {
    std::printf("  %16s", groupmamba::bench::Name(stage).c_str());
  }
  std::printf("  geometric mean\n");
  for (const std::string& kind : kinds) {
    groupmamba::bench::PrintRow(reporter, kind);
  }
}
