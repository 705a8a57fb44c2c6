// The paper's distilled objective.

#ifndef GROUPMAMBA_MODEL_TRAINING_LOSS_H_
#define GROUPMAMBA_MODEL_TRAINING_LOSS_H_

#include "ATen/core/Tensor.h"
#include "model/network.h"

namespace groupmamba::training {

// loss = alpha CE(Z_s, y) + (1 - alpha) CE(Z_s, y_t), the mean over the batch
// (Shaker et al., GroupMamba, arXiv:2407.13772, section 3.4: hard
// distillation). `alpha` is the true label's share, as in the paper; the
// authors' code gives it to the teacher's.
//
// With two heads (released form) the class head answers for y and the
// distillation head for y_t. Without a teacher (`taught` undefined) every head
// learns y, since serving takes the mean of the heads.
//
// truth, taught: [batch, classes], rows that sum to one (SoftTargets). Returns
// a scalar, fp32, that can be derived.
at::Tensor DistilledLoss(const HeadLogits& student, const at::Tensor& truth,
                         const at::Tensor& taught, double alpha);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_LOSS_H_
