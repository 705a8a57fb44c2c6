#include "model/training/schedule.h"

#include <algorithm>
#include <cmath>

namespace groupmamba::training {

double LearningRate(const ScheduleSpec& spec, int64_t step) {
  if (step < spec.warmup_steps) {
    return spec.learning_rate * static_cast<double>(step + 1) /
           static_cast<double>(spec.warmup_steps);
  }
  const double done = static_cast<double>(step - spec.warmup_steps) /
                      static_cast<double>(spec.total_steps - spec.warmup_steps);
  const double cosine = 0.5 * (1 + std::cos(M_PI * done));
  return spec.learning_rate *
         (spec.final_fraction + (1 - spec.final_fraction) * cosine);
}

double EmaDecay(double decay, int64_t step) {
  const double early =
      static_cast<double>(1 + step) / static_cast<double>(10 + step);
  return std::min(decay, early);
}

}  // namespace groupmamba::training
