#include "model/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "ATen/TensorOperators.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/from_blob.h"
#include "ATen/ops/tensor.h"
#include "model/formula_weights.h"
#include "tests/model/formula_folder.h"
#include "tests/model/small_network.h"

namespace groupmamba {
namespace {

using testing::HasSubstr;

constexpr int kSide = 64;  // SmallConfig's crop

std::vector<uint8_t> RandomPicture(int seed, int side = kSide) {
  std::mt19937 random(seed);
  std::vector<uint8_t> pixels(side * side * 3);
  for (uint8_t& pixel : pixels) pixel = random();
  return pixels;
}

absl::StatusOr<std::vector<float>> InferOf(
    const ModelConfig& config, Engine& engine,
    const std::vector<std::vector<uint8_t>>& pictures) {
  std::vector<const uint8_t*> images;
  images.reserve(pictures.size());
  for (const auto& picture : pictures) images.push_back(picture.data());
  std::vector<float> logits(pictures.size() * config.classes);
  const absl::Status status = engine.Infer(images, absl::MakeSpan(logits));
  if (!status.ok()) return status;
  return logits;
}

// Alone and in every place of batches of 2 to 16.
void ExpectThatNeighboursDoNotMatter(const ModelConfig& config,
                                     Engine& engine) {
  std::vector<std::vector<uint8_t>> pictures;
  std::vector<std::vector<float>> alone;
  for (int n = 0; n < 16; ++n) {
    pictures.push_back(RandomPicture(n, config.input.crop));
    alone.push_back(InferOf(config, engine, {pictures.back()}).value());
  }
  for (int batch = 2; batch <= 16; ++batch) {
    const std::vector<float> together =
        InferOf(config, engine, {pictures.end() - batch, pictures.end()})
            .value();
    for (int n = 0; n < batch; ++n) {
      const auto row = together.begin() + n * config.classes;
      EXPECT_EQ(std::vector<float>(row, row + config.classes),
                alone[16 - batch + n])
          << "place " << n << " of " << batch;
    }
  }
}

class EngineTest : public testing::Test {
 protected:
  void WriteWeights() { folder_.Write(); }

  absl::StatusOr<std::vector<float>> Infer(
      Engine& engine, const std::vector<std::vector<uint8_t>>& pictures) {
    return InferOf(model_.config, engine, pictures);
  }

  FormulaFolder folder_{"engine_test", SmallConfig(BlockForm::kReleased)};
  ModelFolder& model_ = folder_.model();
  std::map<std::string, std::vector<float>>& values_ = folder_.values();
};

// An engine by its options, and how far its logits, about 1 in size, may be
// from the network's.
struct EngineCase {
  EngineImplementation implementation;
  const char* precision;
  double tolerance;
};

// The tests of what an engine computes, with every implementation.
class ImplementationTest : public EngineTest,
                           public testing::WithParamInterface<EngineCase> {
 protected:
  static EngineOptions Options(int threads) {
    return {.implementation = GetParam().implementation,
            .precision = GetParam().precision,
            .threads = threads};
  }
  std::unique_ptr<Engine> Load(int threads) {
    WriteWeights();
    return LoadEngine(model_, Options(threads)).value();
  }
};
INSTANTIATE_TEST_SUITE_P(
    , ImplementationTest,
    testing::Values(EngineCase{EngineImplementation::kNative, "fp32", 1e-5},
                    EngineCase{EngineImplementation::kNative, "bf16", 3e-2},
                    EngineCase{EngineImplementation::kTorch, "fp32", 1e-5}),
    [](const auto& info) {
      return std::string(info.param.implementation ==
                                 EngineImplementation::kNative
                             ? "native_"
                             : "torch_") +
             info.param.precision;
    });

TEST_P(ImplementationTest, AnswersWhatTheNetworkSaysOfTheNormalisedPictures) {
  const std::unique_ptr<Engine> engine = Load(/*threads=*/2);
  EXPECT_EQ(engine->device(), "cpu");
  EXPECT_EQ(engine->precision(), GetParam().precision);
  std::vector<std::vector<uint8_t>> pictures = {
      RandomPicture(1), RandomPicture(2), RandomPicture(3)};
  const std::vector<float> logits = Infer(*engine, pictures).value();

  const at::NoGradGuard no_grad;
  const std::unique_ptr<Network> network = FormulaNetwork(model_.config);
  const InputConfig& input = model_.config.input;
  const at::Tensor mean = at::tensor(at::ArrayRef<float>(input.mean));
  const at::Tensor std = at::tensor(at::ArrayRef<float>(input.std));
  for (size_t n = 0; n < pictures.size(); ++n) {
    const at::Tensor pixels =
        at::from_blob(pictures[n].data(), {1, kSide, kSide, 3}, at::kByte);
    const at::Tensor normalised = (pixels.to(at::kDouble) / 255 - mean) / std;
    const at::Tensor expected =
        network->Forward(normalised.to(at::kFloat).permute({0, 3, 1, 2}), {})
            .Mean();
    for (int c = 0; c < model_.config.classes; ++c) {
      EXPECT_NEAR(logits[n * model_.config.classes + c],
                  expected[0][c].item<float>(), GetParam().tolerance);
    }
  }
}

TEST_P(ImplementationTest, AnswersAlikeOnOneThreadAndOnTwo) {
  const std::vector<std::vector<uint8_t>> pictures = {RandomPicture(1),
                                                      RandomPicture(2)};
  EXPECT_EQ(Infer(*Load(1), pictures), Infer(*Load(2), pictures));
}

// LibTorch's does not: its shares of a width such as 44 may end within a
// vector, whose last elements then round differently (5e-7).
TEST_F(EngineTest, TheNativeEngineAnswersAlikeOnAnyNumberOfThreads) {
  WriteWeights();
  const std::vector<std::vector<uint8_t>> pictures = {
      RandomPicture(1), RandomPicture(2), RandomPicture(3)};
  for (const char* precision : {"fp32", "bf16"}) {
    const auto answer = [&](int threads) {
      const EngineOptions options = {.precision = precision,
                                     .threads = threads};
      return Infer(*LoadEngine(model_, options).value(), pictures).value();
    };
    const std::vector<float> expected = answer(1);
    for (const int threads : {2, 3, 8}) {
      EXPECT_EQ(answer(threads), expected)
          << precision << " on " << threads << " threads";
    }
  }
}

TEST_P(ImplementationTest, AnAnswerIsTheSameToTheBitWhateverItsNeighbours) {
  ExpectThatNeighboursDoNotMatter(model_.config, *Load(/*threads=*/2));
}

// The paper form, with weights that were trained.
TEST_P(ImplementationTest, NeighboursDoNotMatterToTheBundledModelEither) {
  const ModelFolder bundled =
      ReadModelFolder(GM_SOURCE_DIR "/models/fashion/1").value();
  ASSERT_EQ(bundled.config.block, BlockForm::kPaper);
  const std::unique_ptr<Engine> engine =
      LoadEngine(bundled, Options(/*threads=*/2)).value();
  ExpectThatNeighboursDoNotMatter(bundled.config, *engine);
}

TEST_F(EngineTest, AnEmptyBatchIsNoWork) {
  WriteWeights();
  EXPECT_TRUE(LoadEngine(model_, {}).value()->Infer({}, {}).ok());
}

TEST_F(EngineTest, ABufferOfAnotherSizeIsInternal) {
  WriteWeights();
  const std::vector<uint8_t> picture = RandomPicture(1);
  const uint8_t* image = picture.data();
  std::vector<float> logits(model_.config.classes + 1);
  EXPECT_EQ(LoadEngine(model_, {})
                .value()
                ->Infer({&image, 1}, absl::MakeSpan(logits))
                .code(),
            absl::StatusCode::kInternal);
}

TEST_F(EngineTest, ANonFiniteAnswerIsInternal) {
  values_.at("head.weight")
      .assign(values_.at("head.weight").size(),
              std::numeric_limits<float>::max());
  WriteWeights();
  const absl::Status status =
      Infer(*LoadEngine(model_, {}).value(), {RandomPicture(1)}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("not finite"));
}

TEST_F(EngineTest, WeightsOfAnotherHashAreRefused) {
  WriteWeights();
  model_.config.weights_sha256[0] ^= 1;
  EXPECT_EQ(LoadEngine(model_, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(EngineTest, WeightsOfAnotherConfigurationAreRefusedByName) {
  WriteWeights();
  model_.config.classes += 1;
  const absl::Status status = LoadEngine(model_, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("head."));
}

TEST_F(EngineTest, DevicesThatAreNotThereAreUnavailable) {
  if (ListDevices({.device = "cuda"}).ok()) GTEST_SKIP() << "there is a GPU";
  WriteWeights();
  for (const char* device : {"cuda", "cuda:0", "cuda:7"}) {
    const absl::Status status = LoadEngine(model_, {.device = device}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << device;
    EXPECT_THAT(status.message(), HasSubstr(device));
  }
}

TEST(ListDevices, WithoutAGpuAutoIsTheProcessor) {
  if (ListDevices({.device = "cuda"}).ok()) GTEST_SKIP() << "there is a GPU";
  for (const char* device : {"auto", "cpu"}) {
    EXPECT_THAT(ListDevices({.device = device}).value(),
                testing::ElementsAre("cpu"));
  }
}

TEST(ListDevices, TheTorchEngineRunsOnTheProcessor) {
  const auto list = [](const char* device) {
    return ListDevices(
        {.implementation = EngineImplementation::kTorch, .device = device});
  };
  EXPECT_THAT(list("auto").value(), testing::ElementsAre("cpu"));
  EXPECT_EQ(list("cuda").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EngineTest, OptionsOutOfRangeAreNamed) {
  WriteWeights();
  for (const EngineOptions& options :
       {EngineOptions{.device = "tpu"}, EngineOptions{.device = ""},
        EngineOptions{.device = "cuda:"}, EngineOptions{.device = "cuda:-1"},
        EngineOptions{.implementation = EngineImplementation::kTorch,
        .precision = "bf16"},
        EngineOptions{.precision = "fp8"}, EngineOptions{.threads = -1},
        EngineOptions{.threads = 100'000}}) {
    EXPECT_EQ(LoadEngine(model_, options).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace groupmamba
