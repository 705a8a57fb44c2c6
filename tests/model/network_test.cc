#include "model/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ATen/TensorOperators.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/from_blob.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/zeros.h"
#include "model/formula_weights.h"
#include "model/layers.h"
#include "tests/model/small_network.h"
#include "tests/reference/naive_network.h"
#include "tests/reference/paper_oracle.h"

namespace groupmamba {
namespace {

using testing::HasSubstr;

class NetworkTest : public testing::TestWithParam<BlockForm> {
 protected:
  const ModelConfig config_ = SmallConfig(GetParam());
  const at::NoGradGuard no_grad_;
};

INSTANTIATE_TEST_SUITE_P(Forms, NetworkTest,
                         testing::Values(BlockForm::kReleased,
                                         BlockForm::kPaper),
                         [](const auto& info) {
                           return info.param == BlockForm::kPaper ? "Paper"
                                                                  : "Released";
                         });

// Not square and not a multiple of anything, so that rows, columns and the
// edges of every stride count.
TEST(PaperForm, IsTheEquationsOfThePaper) {
  const at::NoGradGuard no_grad;
  constexpr int64_t kBatch = 2, kHeight = 45, kWidth = 70;
  const ModelConfig config = SmallConfig(BlockForm::kPaper);
  std::vector<double> expected = reference::PaperLogits(
      config, FormulaWeights(config, 1).value(),
      FormulaInput(kBatch, kHeight, kWidth, 1), kBatch, kHeight, kWidth);
  const HeadLogits heads = FormulaNetwork(config)->Forward(
      FormulaPictures(kBatch, kHeight, kWidth), {});
  EXPECT_FALSE(heads.distillation.defined());
  EXPECT_LE(
      RelativeDifference(
          heads.Mean(), at::from_blob(expected.data(), {kBatch, config.classes},
                                      at::kDouble)),
      1e-5);
}

// The same of the released form, whose truth the goldens are.
TEST(ReleasedForm, IsTheNaiveComposition) {
  const at::NoGradGuard no_grad;
  const ModelConfig config = SmallConfig(BlockForm::kReleased);
  const at::Tensor pictures = FormulaPictures(2, 45, 70);
  const at::Tensor expected =
      FormulaNetwork(config)->Forward(pictures, {}).Mean();
  const TensorMap weights = FormulaTensors(config);
  EXPECT_LE(RelativeDifference(reference::NaiveLogits(config, weights, pictures,
                                                      /*bf16=*/false),
                               expected),
            1e-5);
  EXPECT_LE(RelativeDifference(reference::NaiveLogits(config, weights, pictures,
                                                      /*bf16=*/true),
                               expected),
            3e-2);
}

TEST(ReleasedForm, AnswersTheMeanOfItsTwoHeads) {
  const at::NoGradGuard no_grad;
  const HeadLogits heads = FormulaNetwork(SmallConfig(BlockForm::kReleased))
                               ->Forward(FormulaPictures(2, 32, 32), {});
  EXPECT_FALSE(heads.head.equal(heads.distillation));
  EXPECT_TRUE(heads.Mean().equal((heads.head + heads.distillation) / 2));
}

TEST_P(NetworkTest, TakesAnyHeightAndWidthFrom32) {
  const std::unique_ptr<Network> network = FormulaNetwork(config_);
  for (const auto& [height, width] :
       {std::pair(32, 32), std::pair(33, 47), std::pair(96, 40)}) {
    const at::Tensor logits =
        network->Forward(FormulaPictures(1, height, width), {}).Mean();
    EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{1, config_.classes}));
    EXPECT_TRUE(logits.isfinite().all().item<bool>());
  }
}

TEST_P(NetworkTest, NamesTheTensorThatIsMissing) {
  TensorMap tensors = FormulaTensors(config_);
  tensors.erase("block2.1.mlp.fc1.bias");
  const absl::Status status = Network::Create(config_, tensors).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("block2.1.mlp.fc1.bias is missing"));
}

TEST_P(NetworkTest, NamesTheTensorOfAnotherShape) {
  TensorMap tensors = FormulaTensors(config_);
  tensors["norm3.weight"] = at::ones({31});
  const absl::Status status = Network::Create(config_, tensors).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(),
              HasSubstr("norm3.weight has shape [31] instead of [32]"));
}

TEST_P(NetworkTest, NamesTheTensorOfAnotherType) {
  TensorMap tensors = FormulaTensors(config_);
  tensors["head.bias"] = tensors["head.bias"].to(at::kDouble);
  const absl::Status status = Network::Create(config_, tensors).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("head.bias is not fp32"));
}

TEST_P(NetworkTest, HoldsTheTensorsItWasGiven) {
  TensorMap tensors = FormulaTensors(config_);
  const std::unique_ptr<Network> network =
      Network::Create(config_, tensors).value();
  tensors["head.weight"].zero_();
  tensors["head.bias"].fill_(3);
  EXPECT_TRUE(network->Forward(FormulaPictures(1, 32, 32), {})
                  .head.equal(at::ones({1, config_.classes}) * 3));
}

TEST_P(NetworkTest, FoldingBatchNormsKeepsTheLogits) {
  const std::unique_ptr<Network> network = FormulaNetwork(config_);
  const at::Tensor pictures = FormulaPictures(2, 64, 64);
  const at::Tensor before = network->Forward(pictures, {}).Mean();
  network->FoldBatchNorms();
  EXPECT_LE(RelativeDifference(network->Forward(pictures, {}).Mean(), before),
            2e-6);
}

TEST_P(NetworkTest, TrainingUpdatesTheRunningStatistics) {
  TensorMap tensors = FormulaTensors(config_);
  const at::Tensor mean = tensors["patch_embed1.conv.1.running_mean"].clone();
  const at::Tensor variance =
      tensors["patch_embed1.conv.1.running_var"].clone();
  const at::Tensor pictures = FormulaPictures(2, 64, 64);
  const at::Tensor convolved =
      at::conv2d(pictures, tensors["patch_embed1.conv.0.weight"], {}, 2, 3);
  const std::unique_ptr<Network> network =
      Network::Create(config_, tensors).value();

  network->Forward(pictures, {});
  EXPECT_TRUE(tensors["patch_embed1.conv.1.running_mean"].equal(mean));

  network->Forward(pictures, {.training = true});
  EXPECT_LE(RelativeDifference(tensors["patch_embed1.conv.1.running_mean"],
                               mean * 0.9 + convolved.mean({0, 2, 3}) * 0.1),
            1e-5);
  EXPECT_LE(RelativeDifference(tensors["patch_embed1.conv.1.running_var"],
                               variance * 0.9 + convolved.var({0, 2, 3}) * 0.1),
            1e-5);
}

TEST_P(NetworkTest, DropPathActsOnlyWhileTraining) {
  const std::unique_ptr<Network> network = FormulaNetwork(config_);
  const at::Tensor pictures = FormulaPictures(4, 32, 32);
  const at::Tensor plain = network->Forward(pictures, {}).head;
  EXPECT_TRUE(network->Forward(pictures, {.drop_path = 0.5}).head.equal(plain));

  const auto train = [&](double drop_path) {
    return network
        ->Forward(pictures, {.training = true, .drop_path = drop_path})
        .head;
  };
  EXPECT_TRUE(train(0).equal(train(0)));
  EXPECT_FALSE(train(0.5).equal(train(0)));
}

TEST(DropPath, LeavesPicturesOutWholeAndScalesTheRest) {
  constexpr int kPictures = 4096;
  const at::Tensor ones = at::ones({kPictures, 2, 3});
  const at::Tensor kept = DropPath(ones, 0.25);
  const at::Tensor first = kept.select(2, 0).select(1, 0);
  EXPECT_TRUE(kept.equal(first.view({kPictures, 1, 1}).expand({-1, 2, 3})));
  const double share = first.gt(0).to(at::kFloat).mean().item<double>();
  EXPECT_NEAR(share, 0.75, 0.05);  // seven deviations
  EXPECT_NEAR(first.max().item<double>(), 1 / 0.75, 1e-6);
  EXPECT_TRUE(DropPath(ones, 0).is_same(ones));
}

}  // namespace
}  // namespace groupmamba
