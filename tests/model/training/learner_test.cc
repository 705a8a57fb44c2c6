#include "model/training/learner.h"

#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ATen/Functions.h"
#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/core/grad_mode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/manifest.h"
#include "model/training/batch.h"
#include "model/training/loader.h"
#include "model/training/loss.h"
#include "model/training/parameters.h"
#include "tests/model/training/tiny_run.h"

namespace groupmamba::training {
namespace {

// -log softmax(logits)[label].
double CrossEntropy(const std::vector<double>& logits, int label) {
  double sum = 0;
  for (double logit : logits) {
    sum += std::exp(logit);
  }
  return std::log(sum) - logits[label];
}

const std::vector<double> kFirst = {1.0, -2.0, 0.5};
const std::vector<double> kSecond = {0.25, 3.0, -1.0};

HeadLogits TwoPictures() {
  return {
      .head = at::tensor({1.0f, -2.0f, 0.5f, 0.25f, 3.0f, -1.0f}).view({2, 3}),
      .distillation = {}};
}

// Of three classes.
at::Tensor Targets(std::vector<int64_t> labels, double smoothing = 0) {
  return SoftTargets(at::tensor(at::ArrayRef<int64_t>(labels)), 3, smoothing,
                     /*share=*/1);
}

TEST(DistilledLoss, WithoutATeacherIsTheCrossEntropyWithTheTruth) {
  const double expected =
      (CrossEntropy(kFirst, 2) + CrossEntropy(kSecond, 0)) / 2;
  EXPECT_NEAR(
      DistilledLoss(TwoPictures(), Targets({2, 0}), {}, 1).item<double>(),
      expected, 1e-6);
}

TEST(DistilledLoss, AlphaWeighsTheTruthAgainstTheTeachersLabel) {
  const double truth = (CrossEntropy(kFirst, 2) + CrossEntropy(kSecond, 0)) / 2;
  const double taught =
      (CrossEntropy(kFirst, 0) + CrossEntropy(kSecond, 1)) / 2;
  EXPECT_NEAR(
      DistilledLoss(TwoPictures(), Targets({2, 0}), Targets({0, 1}), 0.3)
          .item<double>(),
      0.3 * truth + 0.7 * taught, 1e-6);
}

TEST(DistilledLoss, SmoothingSpreadsAShareOverAllClasses) {
  double expected = 0.9 * CrossEntropy(kFirst, 1);
  for (int label = 0; label < 3; ++label) {
    expected += 0.1 / 3 * CrossEntropy(kFirst, label);
  }
  HeadLogits one;
  one.head = TwoPictures().head.narrow(0, 0, 1);
  EXPECT_NEAR(DistilledLoss(one, Targets({1}, 0.1), {}, 1).item<double>(),
              expected, 1e-6);
}

TEST(DistilledLoss, OfTwoHeadsTheSecondLearnsFromTheTeacher) {
  HeadLogits heads;
  heads.head = TwoPictures().head.narrow(0, 0, 1);
  heads.distillation = TwoPictures().head.narrow(0, 1, 1);
  EXPECT_NEAR(
      DistilledLoss(heads, Targets({2}), Targets({0}), 0.3).item<double>(),
      0.3 * CrossEntropy(kFirst, 2) + 0.7 * CrossEntropy(kSecond, 0), 1e-6);
  EXPECT_NEAR(DistilledLoss(heads, Targets({2}), {}, 1).item<double>(),
              (CrossEntropy(kFirst, 2) + CrossEntropy(kSecond, 2)) / 2, 1e-6);
}

ModelConfig TinyConfig() { return MakeModelConfig(TinySettings("")); }

TEST(Parameters, EveryTensorHasItsOwnPlaceInTheFlatOnes) {
  Parameters parameters = MakeParameters(TinyConfig(), /*trained=*/true);
  EXPECT_EQ(parameters.by_name.size() + 3 /* counters of the batch norms */,
            ListParameters(TinyConfig()).size());
  // Numbering every element through the names must not overwrite any.
  const at::NoGradGuard no_grad;
  float next = 1;
  for (auto& [name, tensor] : parameters.by_name) {
    tensor.copy_(at::arange(next, next + tensor.numel()).view(tensor.sizes()));
    next += tensor.numel();
  }
  std::set<float> seen;
  for (const at::Tensor& flat :
       {parameters.decayed, parameters.plain, parameters.buffers}) {
    for (int64_t i = 0; i < flat.numel(); ++i) {
      if (const float value = flat.const_data_ptr<float>()[i]; value != 0) {
        EXPECT_TRUE(seen.insert(value).second);
      }
    }
  }
  EXPECT_EQ(static_cast<float>(seen.size()), next - 1);
}

// By the names' last parts, written out: what decays and what must not.
TEST(Parameters, NormsBiasesAndTheScansOwnDoNotDecay) {
  for (const BlockForm block : {BlockForm::kPaper, BlockForm::kReleased}) {
    ModelConfig config = TinyConfig();
    config.block = block;
    Parameters parameters = MakeParameters(config, /*trained=*/true);
    parameters.decayed.fill_(1);
    std::set<std::string> decaying, others;
    for (const auto& [name, tensor] : parameters.by_name) {
      const bool decays = tensor.detach().view(-1)[0].item<float>() == 1;
      const std::string last = name.substr(name.rfind('.') + 1);
      const bool norm = tensor.dim() == 1 && last == "weight";
      EXPECT_FALSE(decays && norm) << name;
      (decays ? decaying : others).insert(norm ? "norm" : last);
    }
    EXPECT_THAT(decaying, ::testing::ElementsAre("dt_projs_weight", "weight",
                                                 "x_proj_weight"));
    std::set<std::string> expected = {"A_logs",        "Ds",   "bias",
                                      "dt_projs_bias", "norm", "running_mean",
                                      "running_var"};
    if (block == BlockForm::kReleased) expected.insert("skip_scale");
    EXPECT_EQ(others, expected);
  }
}

TEST(Initialize, IsDecidedByTheSeed) {
  const auto values = [](uint64_t seed) {
    Parameters parameters = MakeParameters(TinyConfig(), /*trained=*/false);
    Initialize(seed, &parameters);
    return at::cat({parameters.decayed, parameters.plain});
  };
  EXPECT_TRUE(at::equal(values(1), values(1)));
  EXPECT_FALSE(at::equal(values(1), values(2)));
}

TEST(Initialize, DeltaBeginsBetweenAThousandthAndATenth) {
  Parameters parameters = MakeParameters(TinyConfig(), /*trained=*/false);
  Initialize(1, &parameters);
  const at::Tensor delta = at::softplus(
      parameters.by_name.at("block4.0.vsss_g2.mamba.dt_projs_bias"));
  EXPECT_GE(delta.min().item<float>(), 0.000999f);
  EXPECT_LE(delta.max().item<float>(), 0.1001f);
}

std::unique_ptr<Learner> MakeLearner(const LearnerOptions& options,
                                     const Teacher* teacher = nullptr,
                                     const ModelConfig& config = TinyConfig()) {
  at::set_num_threads(1);  // the models are too small to share
  auto learner = Learner::Create(config, options, teacher);
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

Batch WholeBatch() {
  const std::unique_ptr<PictureSource> pictures = TinyPictures();
  BrokenPictures broken(0);
  Loader loader(pictures.get(), &broken,
                {.input = TinyConfig().input, .augment = {}, .end_step = 1},
                InOrder(13, 13));
  return MakeBatch(loader.Next().value(), TinyConfig().input);
}

TEST(Learner, LearnsAHandfulOfPicturesByHeart) {
  auto learner = MakeLearner({.weight_decay = 0.01, .clip = 5});
  const Batch batch = WholeBatch();
  const double first = learner->Step(batch, 0, 0.005, 0.5).loss;
  EXPECT_NEAR(first, std::log(10.0), 1.0);
  double last = first;
  for (int step = 1; step < 150; ++step) {
    last = learner->Step(batch, step, 0.005, 0.9).loss;
  }
  EXPECT_LT(last, 0.1);
  EXPECT_TRUE(
      at::equal(learner->AverageLogits(batch.images).argmax(1), batch.labels));
}

TEST(Learner, TheAverageKeepsItsShareOfItself) {
  auto learner = MakeLearner({});
  const at::Tensor before = learner->State()["average.decayed"].clone();
  ASSERT_TRUE(at::equal(before, learner->State()["student.decayed"]));
  learner->Step(WholeBatch(), 0, 0.01, 0.75);
  for (const char* part : {"decayed", "plain", "buffers"}) {
    const std::string name = part;
    EXPECT_FALSE(at::equal(learner->State()["student." + name],
                           learner->State()["average." + name]));
  }
  const at::Tensor expected =
      0.75 * before + 0.25 * learner->State()["student.decayed"];
  EXPECT_TRUE(at::allclose(learner->State()["average.decayed"], expected,
                           /*rtol=*/1e-6, /*atol=*/1e-7));
}

// With a learning rate of zero the whole step is the decay, which is then zero
// too: nothing may move but the batch norms' statistics.
TEST(Learner, ALearningRateOfZeroMovesNoWeight) {
  auto learner = MakeLearner({.weight_decay = 0.5});
  const at::Tensor before = learner->State()["student.decayed"].clone();
  const at::Tensor buffers = learner->State()["student.buffers"].clone();
  learner->Step(WholeBatch(), 0, 0, 0.5);
  EXPECT_TRUE(at::equal(before, learner->State()["student.decayed"]));
  EXPECT_FALSE(at::equal(buffers, learner->State()["student.buffers"]));
}

// AdamW's first step moves every weight with a gradient by just the learning
// rate, after shrinking it by learning rate * decay.
TEST(Learner, TheFirstStepIsAdamWs) {
  constexpr double kRate = 0.01, kDecay = 0.5;
  auto learner = MakeLearner({.weight_decay = kDecay});
  const at::Tensor decayed = learner->State()["student.decayed"].clone();
  const at::Tensor plain = learner->State()["student.plain"].clone();
  learner->Step(WholeBatch(), 0, kRate, 0.5);
  auto state = learner->State();
  const auto moved = [&](const at::Tensor& change, const char* moments) {
    // Where Adam's epsilon of 1e-8 is lost against the gradient.
    const at::Tensor clear =
        state[std::string(moments) + ".exp_avg"].abs() > 1e-5;
    EXPECT_GT(clear.sum().item<int64_t>(), change.numel() / 10);
    return change.masked_select(clear).abs();
  };
  const at::Tensor change =
      moved(state["student.decayed"] - decayed * (1 - kRate * kDecay),
            "adamw.decayed");
  EXPECT_TRUE(at::allclose(change, at::full_like(change, kRate), 1e-2));
  const at::Tensor plain_change =
      moved(state["student.plain"] - plain, "adamw.plain");
  EXPECT_TRUE(
      at::allclose(plain_change, at::full_like(plain_change, kRate), 1e-2));
}

TEST(Learner, ClippingBoundsTheGradientsNorm) {
  const auto norm_after = [](double clip) {
    auto learner = MakeLearner({.clip = clip});
    learner->Step(WholeBatch(), 0, 0.001, 0.5);
    auto state = learner->State();
    // The first moment is a tenth of the clipped gradient.
    return 10 * std::hypot(state["adamw.decayed.exp_avg"].norm().item<double>(),
                           state["adamw.plain.exp_avg"].norm().item<double>());
  };
  const double whole = norm_after(0);
  EXPECT_NEAR(norm_after(whole / 2), whole / 2, 1e-3 * whole);
  EXPECT_NEAR(norm_after(whole * 2), whole, 1e-3 * whole);
}

// A teacher that always answers the same class.
class OneClassTeacher : public Teacher {
 public:
  at::Tensor Targets(const Batch& batch) const override {
    return SoftTargets(at::full_like(batch.labels, 7), 10, 0, 1);
  }
};

TEST(Learner, WithAlphaZeroOnlyTheTeachersLabelIsLearnt) {
  const OneClassTeacher teacher;
  auto learner = MakeLearner({.alpha = 0}, &teacher);
  const Batch batch = WholeBatch();
  for (int step = 0; step < 40; ++step) {
    learner->Step(batch, step, 0.005, 0.5);
  }
  EXPECT_TRUE(
      learner->AverageLogits(batch.images).argmax(1).eq(7).all().item<bool>());
}

// What a learner with these options knows after three steps.
std::map<std::string, at::Tensor> AfterThreeSteps(const LearnerOptions& options,
                                                  const Teacher* teacher,
                                                  const ModelConfig& config) {
  auto learner = MakeLearner(options, teacher, config);
  for (int step = 0; step < 3; ++step) {
    learner->Step(WholeBatch(), step, 0.005, 0.5);
  }
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : learner->State()) {
    state[name] = tensor.clone();
  }
  return state;
}

TEST(Learner, AlphaOneIsNoTeacherToTheBit) {
  const OneClassTeacher teacher;
  for (const BlockForm block : {BlockForm::kPaper, BlockForm::kReleased}) {
    ModelConfig config = TinyConfig();
    config.block = block;
    const auto with = AfterThreeSteps({.alpha = 1}, &teacher, config);
    for (const auto& [name, tensor] : AfterThreeSteps({}, nullptr, config)) {
      EXPECT_TRUE(at::equal(tensor, with.at(name))) << name;
    }
    const auto half = AfterThreeSteps({.alpha = 0.5}, &teacher, config);
    EXPECT_FALSE(
        at::equal(half.at("student.decayed"), with.at("student.decayed")));
  }
}

TEST(Learner, LossInBf16IsNearThatInFp32) {
  for (const BlockForm block : {BlockForm::kPaper, BlockForm::kReleased}) {
    ModelConfig config = TinyConfig();
    config.block = block;
    const double fp32 = MakeLearner({}, nullptr, config)
                            ->Step(WholeBatch(), 0, 0.005, 0.5)
                            .loss;
    const double bf16 = MakeLearner({.bf16 = true}, nullptr, config)
                            ->Step(WholeBatch(), 0, 0.005, 0.5)
                            .loss;
    EXPECT_NE(bf16, fp32);  // it is not fp32 under another name
    EXPECT_NEAR(bf16, fp32, 0.02 * fp32);
  }
}

TEST(Learner, InBf16LearnsAHandfulOfPicturesByHeart) {
  auto learner = MakeLearner({.weight_decay = 0.01, .clip = 5, .bf16 = true});
  const Batch batch = WholeBatch();
  double last = 0;
  for (int step = 0; step < 150; ++step) {
    last = learner->Step(batch, step, 0.005, 0.9).loss;
  }
  EXPECT_LT(last, 0.1);
  EXPECT_TRUE(
      at::equal(learner->AverageLogits(batch.images).argmax(1), batch.labels));
  for (const auto& [name, tensor] : learner->State()) {
    EXPECT_EQ(tensor.scalar_type(), at::kFloat) << name;
  }
}

}  // namespace
}  // namespace groupmamba::training
