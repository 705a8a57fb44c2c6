// What changes from step to step: the learning rate and the weight of the
// average.

#ifndef GROUPMAMBA_MODEL_TRAINING_SCHEDULE_H_
#define GROUPMAMBA_MODEL_TRAINING_SCHEDULE_H_

#include <cstdint>

namespace groupmamba::training {

struct ScheduleSpec {
  int64_t total_steps = 0;
  int64_t warmup_steps = 0;     // below total_steps; 0: none
  double learning_rate = 0;     // at its highest, after the warm-up
  double final_fraction = 0.0;  // of learning_rate, at the end
};

// Of step 0 to total_steps - 1. Linear from learning_rate / warmup_steps to
// learning_rate, then half a cosine down to learning_rate * final_fraction.
double LearningRate(const ScheduleSpec& spec, int64_t step);

// How much of the average stays when step `step` (from 0) is added to it:
// `decay`, but (1 + step) / (10 + step) early on, so that the average forgets
// the initial weights.
double EmaDecay(double decay, int64_t step);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_SCHEDULE_H_
