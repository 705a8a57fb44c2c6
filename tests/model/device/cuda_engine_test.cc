// The engine on a GPU against the processor's, where there is a GPU; where
// there is none, a build with CUDA starts all the same and says why.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/engine.h"

namespace groupmamba {
namespace {

ModelFolder BundledModel() {
  return ReadModelFolder(GM_SOURCE_DIR "/models/fashion/1").value();
}

std::vector<float> LogitsOf(const EngineOptions& options,
                            const std::vector<const uint8_t*>& images) {
  const ModelFolder model = BundledModel();
  auto engine = LoadEngine(model, options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  std::vector<float> logits(images.size() * model.config.classes);
  // Twice: the second call finds memory and graphs of the first.
  for (int i = 0; i < 2; ++i) {
    const absl::Status status =
        (*engine)->Infer(images, absl::MakeSpan(logits));
    EXPECT_TRUE(status.ok()) << status;
  }
  return logits;
}

double RelativeL2(const std::vector<float>& got,
                  const std::vector<float>& want) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    difference += std::pow(double{got[i]} - want[i], 2);
    norm += std::pow(double{want[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

TEST(CudaEngine, AgreesWithTheProcessors) {
  if (!ListDevices({.device = "cuda"}).ok()) GTEST_SKIP() << "no GPU here";
  const int side = static_cast<int>(BundledModel().config.input.crop);
  std::mt19937 random(1);
  std::vector<PictureMemory> pictures;
  std::vector<const uint8_t*> images;
  // More than run at once.
  for (int n = 0; n < 70; ++n) {
    pictures.push_back(AllocatePicture(size_t{3} * side * side, "cuda:0"));
    for (int i = 0; i < 3 * side * side; ++i) pictures.back()[i] = random();
    images.push_back(pictures.back().get());
  }
  const std::vector<float> want =
      LogitsOf({.device = "cpu", .precision = "fp32"}, images);
  for (const bool graphs : {false, true}) {
    for (const char* precision : {"fp32", "bf16"}) {
      const double tolerance = std::string(precision) == "fp32" ? 1e-4 : 3e-2;
      for (const size_t batch : {size_t{1}, size_t{5}, images.size()}) {
        SCOPED_TRACE(absl::StrCat(precision, " ", batch, " ", graphs));
        const size_t classes = want.size() / images.size();
        EXPECT_LE(RelativeL2(LogitsOf({.device = "cuda:0",
                                       .precision = precision,
                                       .cuda_graphs = graphs},
                                      {images.begin(), images.begin() + batch}),
                             {want.begin(), want.begin() + batch * classes}),
                  tolerance);
      }
    }
  }
}

TEST(CudaEngine, WithoutAGpuSaysWhyAndAutoIsTheProcessor) {
  const auto gpus = ListDevices({.device = "cuda"});
  if (gpus.ok()) GTEST_SKIP() << "there is a GPU";
  EXPECT_EQ(gpus.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(gpus.status().message(), ::testing::HasSubstr("no GPU"));
  const auto engine = LoadEngine(BundledModel(), {});
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->device(), "cpu");
  // Memory for pictures is to be had all the same.
  EXPECT_NE(AllocatePicture(10, "cuda:0"), nullptr);
}

}  // namespace
}  // namespace groupmamba
