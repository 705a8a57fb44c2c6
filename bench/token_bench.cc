// What do the token-wise kernels cost, on one core, at the four stage shapes of
// the tiny model? Depthwise convolution with each activation at the hidden
// widths of its feed-forward, layer normalisation at the stage's own.
//
// items_per_second counts values; "ns" is the time of one, and
// bytes_per_second counts each input read once and each output written once.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "bench/provenance.h"
#include "kernels/token_kernels.h"

namespace groupmamba::bench {
namespace {

using kernels::Activation;
using kernels::Isa;

struct StageShape {
  int channels;
  int hidden;
  int side;  // the picture has side * side tokens
};
constexpr StageShape kStages[] = {
    {64, 512, 56}, {128, 1024, 28}, {348, 1392, 14}, {448, 1792, 7}};

std::vector<float> Random(int64_t count, float low, float high) {
  std::mt19937 random(count);
  std::uniform_real_distribution<float> value(low, high);
  std::vector<float> values(count);
  for (float& x : values) x = value(random);
  return values;
}

void Count(benchmark::State& state, int64_t values) {
  state.SetItemsProcessed(state.iterations() * values);
  state.SetBytesProcessed(state.iterations() * values * 2 *
                          static_cast<int64_t>(sizeof(float)));
  state.counters["ns"] = benchmark::Counter(
      static_cast<double>(state.iterations() * values) * 1e-9,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void RunDepthwise(benchmark::State& state, StageShape stage, Isa isa,
                  Activation activation) {
  // As in an engine: rows of input wait in a buffer that is no wider than a
  // band of the picture, so that the second-level cache holds it.
  const int64_t values = int64_t{1} * stage.side * stage.side * stage.hidden;
  const int64_t rows = stage.side > 28 ? 4 : stage.side > 14 ? 7 : stage.side;
  const int64_t stride = stage.hidden + 16;
  const int64_t band = rows * stage.side * stride;
  const auto x = Random(band, -3, 3);
  const auto weight = Random(int64_t{9} * stage.hidden, -0.5, 0.5);
  const auto bias = Random(stage.hidden, -1, 1);
  std::vector<float> y(band);
  for (auto _ : state) {
    for (int64_t done = 0; done < values;
         done += rows * stage.side * stage.hidden) {
      kernels::DepthwiseConv(isa, {rows, stage.side, stage.hidden}, activation,
                             {x.data(), stride}, weight.data(), bias.data(),
                             {y.data(), stride});
    }
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  Count(state, values);
}

void RunLayerNorm(benchmark::State& state, StageShape stage, Isa isa) {
  const int64_t tokens = int64_t{1} * stage.side * stage.side;
  const int64_t values = tokens * stage.channels;
  const auto x = Random(values, -3, 3);
  const auto weight = Random(stage.channels, 0.5, 1.5);
  const auto bias = Random(stage.channels, -1, 1);
  std::vector<float> y(values);
  for (auto _ : state) {
    kernels::LayerNorm(isa, tokens, stage.channels, {x.data(), stage.channels},
                       {weight.data(), bias.data(), 1e-6f},
                       {y.data(), stage.channels});
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  Count(state, values);
}

void RegisterAll() {
  const auto add = [](const std::string& kind, int StageShape::*channels,
                      auto run) {
    for (const StageShape stage : kStages) {
      const std::string name = kind + "/" + std::to_string(stage.*channels) +
                               "x" + std::to_string(stage.side * stage.side);
      benchmark::RegisterBenchmark(
          name.c_str(),
          [run, stage](benchmark::State& state) { run(state, stage); });
    }
  };
  for (const Isa isa : kernels::SupportedIsas()) {
    const std::string name = kernels::IsaName(isa);
    for (const auto& [activation, label] :
         {std::pair(Activation::kGelu, " depthwise gelu"),
          std::pair(Activation::kSilu, " depthwise silu")}) {
      add(name + label, &StageShape::hidden,
          [isa, activation = activation](benchmark::State& state,
                                         StageShape stage) {
            RunDepthwise(state, stage, isa, activation);
          });
    }
    add(name + " layer norm", &StageShape::channels,
        [isa](benchmark::State& state, StageShape stage) {
          RunLayerNorm(state, stage, isa);
        });
  }
}

}  // namespace
}  // namespace groupmamba::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  std::printf("%s\n", groupmamba::bench::Provenance().c_str());
  groupmamba::bench::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
}
