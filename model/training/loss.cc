#include "model/training/loss.h"

#include "ATen/Functions.h"
#include "ATen/TensorOperators.h"

namespace groupmamba::training {
namespace {

at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& labels,
                        double smoothing) {
  return at::cross_entropy_loss(logits, labels, /*weight=*/{},
                                at::Reduction::Mean, /*ignore_index=*/-100,
                                smoothing);
}

}  // namespace

at::Tensor DistilledLoss(const HeadLogits& student, const at::Tensor& labels,
                         const at::Tensor& teacher_labels,
                         const LossSpec& spec) {
  const at::Tensor truth =
      CrossEntropy(student.head, labels, spec.label_smoothing);
  const bool two_heads = student.distillation.defined();
  if (teacher_labels.defined()) {
    const at::Tensor taught = CrossEntropy(
        two_heads ? student.distillation : student.head, teacher_labels, 0);
    return spec.alpha * truth + (1 - spec.alpha) * taught;
  }
  if (two_heads) {
    return (truth +
            CrossEntropy(student.distillation, labels, spec.label_smoothing)) /
           2;
  }
  return truth;
}

}  // namespace groupmamba::training
