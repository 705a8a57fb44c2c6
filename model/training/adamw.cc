#include "model/training/adamw.h"

#include <utility>

#include "ATen/ops/_fused_adamw.h"
#include "ATen/ops/zeros.h"
#include "ATen/ops/zeros_like.h"

namespace groupmamba::training {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

}  // namespace

AdamW::AdamW(at::Tensor weights, at::Tensor gradient, double weight_decay)
    : weights_(std::move(weights)),
      gradient_(std::move(gradient)),
      weight_decay_(weight_decay),
      mean_(at::zeros_like(gradient_)),
      square_(at::zeros_like(gradient_)),
      steps_(at::zeros({}, gradient_.options())) {}

void AdamW::Step(double learning_rate) {
  steps_.add_(1);
  at::_fused_adamw_({weights_}, {gradient_}, {mean_}, {square_},
                    /*max_exp_avg_sqs=*/{}, {steps_}, learning_rate, kBeta1,
                    kBeta2, weight_decay_, kEpsilon, /*amsgrad=*/false,
                    /*maximize=*/false);
}

void AdamW::set_steps(int64_t steps) { steps_.fill_(steps); }

}  // namespace groupmamba::training
