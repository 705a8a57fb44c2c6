// The processor's network against the LibTorch composition, which the goldens
// judge, and against the goldens' logits themselves.
#include "model/cpu/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ATen/core/grad_mode.h"
#include "ATen/ops/from_blob.h"
#include "absl/strings/str_cat.h"
#include "model/formula_weights.h"
#include "model/network.h"
#include "tests/model/golden_comparison.h"
#include "tests/model/small_network.h"

namespace groupmamba {
namespace {

using kernels::Isa;
using kernels::Storage;

// Runs the network on pictures [batch, 3, height, width], normalised.
class Runner {
 public:
  Runner(const ModelConfig& config, Isa isa, int threads,
         Storage storage = Storage::kFp32)
      : classes_(config.classes), pool_(threads), scratch_(threads) {
    const auto values = FormulaWeights(config, 1).value();
    cpu::WeightScope::Map weights;
    for (const auto& [name, tensor] : values) weights[name] = tensor;
    network_ = std::make_unique<cpu::Network>(config, SpecOf(config.block),
                                              weights, isa, storage);
  }

  std::vector<float> Run(
      const float* picture, int64_t height, int64_t width,
      cpu::Network::Trace trace = [](int, int, cpu::Grid, const float*) {}) {
    std::vector<float> logits(classes_);
    cpu::Lane lane(&pool_, absl::MakeSpan(scratch_), &activations_);
    const auto read_row = [&](int64_t row, float* to) {
      for (int64_t x = 0; x < width; ++x) {
        for (int64_t c = 0; c < 3; ++c) {
          to[x * 3 + c] = picture[(c * height + row) * width + x];
        }
      }
    };
    network_->Forward({height, width}, read_row, lane, logits.data(), trace);
    return logits;
  }

 private:
  const int64_t classes_;
  std::unique_ptr<cpu::Network> network_;
  cpu::WorkerPool pool_;
  std::vector<cpu::Scratch> scratch_;
  cpu::Activations activations_;
};

struct Size {
  int64_t height, width;
};
// Grids that halve evenly and not, wide and tall.
constexpr Size kSizes[] = {{64, 64}, {32, 32}, {37, 71}, {96, 40}};

class CpuNetworkTest : public testing::TestWithParam<BlockForm> {};
INSTANTIATE_TEST_SUITE_P(Form, CpuNetworkTest,
                         testing::Values(BlockForm::kReleased,
                                         BlockForm::kPaper));

TEST_P(CpuNetworkTest, EveryBlockAndTheLogitsEqualTheComposition) {
  const ModelConfig config = SmallConfig(GetParam());
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Network> composition = FormulaNetwork(config);
  for (const Size size : kSizes) {
    std::map<std::string, at::Tensor> expected;
    const at::Tensor pictures = FormulaPictures(1, size.height, size.width);
    const HeadLogits heads = composition->Forward(
        pictures, {.trace = [&](absl::string_view name, const at::Tensor& x) {
          expected[std::string(name)] = x.clone();
        }});
    for (const Isa isa : kernels::SupportedIsas()) {
      SCOPED_TRACE(absl::StrCat(kernels::IsaName(isa), " ", size.height, "x",
                                size.width));
      int blocks = 0;
      Runner runner(config, isa, /*threads=*/2);
      const std::vector<float> logits = runner.Run(
          pictures.const_data_ptr<float>(), size.height, size.width,
          [&](int stage, int block, cpu::Grid grid, const float* x) {
            const at::Tensor& want =
                expected.at(absl::StrCat("block", stage + 1, ".", block));
            ASSERT_EQ(want.numel(), grid.tokens() * config.widths[stage]);
            const at::Tensor got =
                at::from_blob(const_cast<float*>(x), want.sizes(), at::kFloat);
            EXPECT_LE(RelativeDifference(got, want), 1e-5)
                << "block" << stage + 1 << "." << block;
            ++blocks;
          });
      EXPECT_EQ(blocks, 5);
      for (int c = 0; c < config.classes; ++c) {
        EXPECT_NEAR(logits[c], heads.Mean()[0][c].item<float>(), 2e-5);
      }
    }
  }
}

TEST_P(CpuNetworkTest, TheNumberOfThreadsDoesNotChangeABit) {
  const ModelConfig config = SmallConfig(GetParam());
  const std::vector<float> picture = FormulaInput(1, 96, 80, 1);
  for (const Storage storage : {Storage::kFp32, Storage::kBf16}) {
    const auto run = [&](int threads) {
      return Runner(config, kernels::BestIsa(), threads, storage)
          .Run(picture.data(), 96, 80);
    };
    const std::vector<float> alone = run(1);
    for (const int threads : {2, 3, 7}) {
      EXPECT_EQ(run(threads), alone) << threads << " threads";
    }
  }
}

TEST_P(CpuNetworkTest, AnEarlierPictureOfAnotherSizeLeavesNoTrace) {
  const ModelConfig config = SmallConfig(GetParam());
  Runner runner(config, kernels::BestIsa(), 2);
  const std::vector<float> small = FormulaInput(1, 64, 64, 1);
  const std::vector<float> large = FormulaInput(1, 96, 128, 2);
  const std::vector<float> fresh = runner.Run(small.data(), 64, 64);
  runner.Run(large.data(), 96, 128);
  EXPECT_EQ(runner.Run(small.data(), 64, 64), fresh);
}

class CpuGoldenTest : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Files, CpuGoldenTest,
                         testing::ValuesIn(ListGoldens(GM_SOURCE_DIR
                                                       "/tests/data/golden")));

TEST_P(CpuGoldenTest, TheLogitsAreTheReferences) {
  const GoldenLogits golden = ReadGoldenLogits(GetParam()).value();
  Runner runner(golden.config, kernels::BestIsa(), 2);
  const std::vector<float> input =
      FormulaInput(golden.batch, golden.height, golden.width, golden.seed);
  ASSERT_EQ(golden.seed, 1u);
  const int64_t classes = golden.config.classes;
  for (int64_t n = 0; n < golden.batch; ++n) {
    const std::vector<float> logits =
        runner.Run(input.data() + n * 3 * golden.height * golden.width,
                   golden.height, golden.width);
    for (int64_t c = 0; c < classes; ++c) {
      ASSERT_NEAR(logits[c], golden.logits[n * classes + c],
                  GoldenTolerance().logits);
    }
  }
}

// The goldens' own rule: a relative distance of at most 3e-2, and the same
// first class wherever the reference is clear about it.
TEST_P(CpuGoldenTest, Bf16StaysNearTheReference) {
  const GoldenLogits golden = ReadGoldenLogits(GetParam()).value();
  const int64_t classes = golden.config.classes;
  const std::vector<float> input =
      FormulaInput(golden.batch, golden.height, golden.width, golden.seed);
  Runner runner(golden.config, kernels::BestIsa(), 2, Storage::kBf16);
  double difference = 0, norm = 0;
  for (int64_t n = 0; n < golden.batch; ++n) {
    const std::vector<float> logits =
        runner.Run(input.data() + n * 3 * golden.height * golden.width,
                   golden.height, golden.width);
    std::vector<float> expected(golden.logits.begin() + n * classes,
                                golden.logits.begin() + (n + 1) * classes);
    for (int64_t c = 0; c < classes; ++c) {
      difference += std::pow(double{logits[c]} - double{expected[c]}, 2);
      norm += std::pow(double{expected[c]}, 2);
    }
    const auto first = std::max_element(expected.begin(), expected.end());
    const int64_t label = first - expected.begin();
    const float best = *first;
    std::nth_element(expected.begin(), expected.begin() + 1, expected.end(),
                     std::greater<float>());
    if (best - expected[1] > 0.1f) {
      EXPECT_EQ(std::max_element(logits.begin(), logits.end()) - logits.begin(),
                label);
    }
  }
  RecordProperty("relative_distance",
                 absl::StrCat(std::sqrt(difference / norm)));
  EXPECT_LE(std::sqrt(difference / norm), 3e-2);
  EXPECT_GT(difference, 0);  // bf16 was at work
}

}  // namespace
}  // namespace groupmamba
