// Launches of a forward of tiny, and its traffic beside the plan's. The table
// of docs/kernels.md is this test's: where it differs the test says what it
// should be.

#include "tests/model/device/forward_cost.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/kernels/cuda/executor_kernels.h"
#include "tests/model/golden_comparison.h"
#include "tests/model/small_network.h"

namespace groupmamba::testing {
namespace {

constexpr int kMostLaunches = 260;
constexpr int kSide = 224;

struct Part {
  int launches = 0;
  double bytes = 0;  // that one more picture adds
};

// The rows of the table, in the order of the forward.
std::string PartOf(const Launch& launch) {
  const std::map<int64_t, int> stages = {
      {3136, 1}, {784, 2}, {196, 3}, {49, 4}};
  const auto stage = stages.find(launch.tokens);
  if (launch.name == "conv2d" && stage != stages.end()) {
    return "0 stem and downsampling";
  }
  if (launch.tokens > 3136) return "0 stem and downsampling";
  if (stage == stages.end() || launch.name == "TokenMean") {
    return "9 class token and heads";
  }
  const bool feed_forward = launch.name == "linear" ||
                            launch.name == "DepthwiseGelu" ||
                            launch.name == "LayerNorm" || launch.widens;
  return absl::StrCat(stage->second,
                      feed_forward ? " feed-forward, norms between" : " layer");
}

std::string Table(const std::vector<Launch>& one,
                  const std::vector<Launch>& two) {
  std::map<std::string, Part> parts;
  for (const Launch& launch : one) {
    ++parts[PartOf(launch)].launches;
    parts[PartOf(launch)].bytes -= static_cast<double>(launch.bytes);
  }
  for (const Launch& launch : two) {
    parts[PartOf(launch)].bytes += static_cast<double>(launch.bytes);
  }
  // The plan's figures: of a block's layer, 9 passes over the stage's tokens,
  // times tiny's depths.
  const std::map<std::string, double> plan = {{"1 layer", 3.6 * 3},
                                              {"2 layer", 1.8 * 4},
                                              {"3 layer", 1.2 * 9},
                                              {"4 layer", 0.4 * 3}};
  std::string table =
      "| part of tiny's forward | launches | MB an image | plan |\n"
      "| --- | --- | --- | --- |\n";
  Part all;
  for (const auto& [name, part] : parts) {
    all.launches += part.launches;
    all.bytes += part.bytes;
    const auto planned = plan.find(name);
    const bool of_stage = name[0] >= '1' && name[0] <= '4';
    absl::StrAppendFormat(
        &table, "| %s | %d | %.1f | %s |\n",
        of_stage ? "stage " + name : name.substr(2), part.launches,
        part.bytes / 1e6,
        planned == plan.end() ? "" : absl::StrFormat("%.1f", planned->second));
  }
  absl::StrAppendFormat(&table, "| all | %d | %.1f | 90 |\n", all.launches,
                        all.bytes / 1e6);
  return table;
}

TEST(ForwardCost, TinysLaunchesAreFewAndTheDocumentHasThem) {
  const ModelConfig config =
      ReadGoldenLogits(GM_SOURCE_DIR "/tests/data/golden/tiny.safetensors")
          .value()
          .config;
  const device::Network network(
      config, SpecOf(config.block), FormulaTensors(config),
      {.kernels = &ExecutorKernels(),
       .stream = []() -> CUstream_st* { return nullptr; }});
  std::vector<std::vector<Launch>> launches;
  for (int batch : {1, 2}) {
    launches.push_back(
        LaunchesOf(network, at::zeros({batch, kSide, kSide, 3}, at::kByte)));
    EXPECT_LE(launches.back().size(), kMostLaunches);
  }
  const std::string table = Table(launches[0], launches[1]);
  std::ifstream document(GM_SOURCE_DIR "/docs/kernels.md");
  std::stringstream text;
  text << document.rdbuf();
  EXPECT_NE(text.str().find(table), std::string::npos)
      << "docs/kernels.md should say:\n"
      << table;
}

}  // namespace
}  // namespace groupmamba::testing
