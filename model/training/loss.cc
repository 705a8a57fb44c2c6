#include "model/training/loss.h"

#include "ATen/Functions.h"
#include "ATen/TensorOperators.h"

namespace groupmamba::training {
namespace {

at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& targets) {
  return at::cross_entropy_loss(logits.to(at::kFloat), targets);
}

}  // namespace

at::Tensor DistilledLoss(const HeadLogits& student, const at::Tensor& truth,
                         const at::Tensor& taught, double alpha) {
  const at::Tensor true_loss = CrossEntropy(student.head, truth);
  const bool two_heads = student.distillation.defined();
  if (taught.defined()) {
    return alpha * true_loss +
           (1 - alpha) *
               CrossEntropy(two_heads ? student.distillation : student.head,
                            taught);
  }
  if (two_heads) {
    return (true_loss + CrossEntropy(student.distillation, truth)) / 2;
  }
  return true_loss;
}

}  // namespace groupmamba::training
