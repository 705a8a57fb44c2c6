#include "model/training/adamw.h"

#include <cmath>
#include <optional>
#include <vector>

#include "ATen/ops/empty.h"
#include "ATen/ops/randn.h"
#include "gtest/gtest.h"

namespace groupmamba::training {
namespace {

// One weight, as the paper's algorithm 2 has it.
struct Reference {
  double weight;
  double mean = 0;
  double square = 0;
  int steps = 0;

  void Step(double gradient, double learning_rate, double decay) {
    ++steps;
    weight -= learning_rate * decay * weight;
    mean = 0.9 * mean + 0.1 * gradient;
    square = 0.999 * square + 0.001 * gradient * gradient;
    const double m = mean / (1 - std::pow(0.9, steps));
    const double v = square / (1 - std::pow(0.999, steps));
    weight -= learning_rate * m / (std::sqrt(v) + 1e-8);
  }
};

constexpr int kWeights = 1000;

class AdamWTest : public ::testing::Test {
 protected:
  // As many steps at falling rates, by it and by the reference.
  void Step(int count) {
    for (int i = 0; i < count; ++i, rate_ *= 0.9) {
      gradient_.copy_(at::randn({kWeights})).mul_(0.1);
      optimizer_->Step(rate_);
      for (int j = 0; j < kWeights; ++j) {
        reference_[j].Step(gradient_.data_ptr<float>()[j], rate_, kDecay);
      }
    }
  }

  void ExpectEqual() const {
    for (int j = 0; j < kWeights; ++j) {
      EXPECT_NEAR(weights_.data_ptr<float>()[j], reference_[j].weight, 5e-6);
    }
  }

  static constexpr double kDecay = 0.3;
  const at::Tensor weights_ = at::randn({kWeights});
  const at::Tensor gradient_ = at::empty({kWeights});
  std::optional<AdamW> optimizer_ =
      std::make_optional<AdamW>(weights_, gradient_, kDecay);
  std::vector<Reference> reference_ = [this] {
    std::vector<Reference> all;
    for (int j = 0; j < kWeights; ++j) {
      all.push_back({weights_.data_ptr<float>()[j]});
    }
    return all;
  }();
  double rate_ = 0.01;
};

TEST_F(AdamWTest, GoesAsThePaperSays) {
  Step(20);
  ExpectEqual();
}

TEST_F(AdamWTest, GoesOnFromARestoredState) {
  Step(5);
  const at::Tensor mean = optimizer_->mean();
  const at::Tensor square = optimizer_->square();
  optimizer_.emplace(weights_, gradient_, kDecay);
  optimizer_->mean().copy_(mean);
  optimizer_->square().copy_(square);
  optimizer_->set_steps(5);
  Step(5);
  ExpectEqual();
}

}  // namespace
}  // namespace groupmamba::training
