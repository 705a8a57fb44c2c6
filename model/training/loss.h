// The paper's distilled objective.

#ifndef GROUPMAMBA_MODEL_TRAINING_LOSS_H_
#define GROUPMAMBA_MODEL_TRAINING_LOSS_H_

#include "ATen/core/Tensor.h"
#include "model/network.h"

namespace groupmamba::training {

struct LossSpec {
  double alpha = 1;            // the true label's share
  double label_smoothing = 0;  // of the true label's term only
};

// loss = alpha CE(Z_s, y) + (1 - alpha) CE(Z_s, y_t), the mean over the batch
// (Shaker et al., GroupMamba, arXiv:2407.13772, section 3.4: hard
// distillation).
//
// With two heads (released form) the class head answers for y and the
// distillation head for y_t. Without a teacher (`teacher_labels` undefined)
// every head learns y, since serving takes the mean of the heads.
//
// labels, teacher_labels: [batch], int64. Returns a scalar that can be derived.
at::Tensor DistilledLoss(const HeadLogits& student, const at::Tensor& labels,
                         const at::Tensor& teacher_labels,
                         const LossSpec& spec);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_LOSS_H_
