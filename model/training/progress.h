// How far a run is: a line rewritten in place on a terminal, or a plain line
// every half minute in a pipe; on standard error.

#ifndef GROUPMAMBA_MODEL_TRAINING_PROGRESS_H_
#define GROUPMAMBA_MODEL_TRAINING_PROGRESS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace groupmamba::training {

struct ProgressState {
  int64_t epoch = 0;  // from 1
  int64_t epochs = 0;
  int64_t steps = 0;  // done, of all epochs
  int64_t total_steps = 0;
  double loss = 0;  // mean of the epoch so far
  double gradient_norm = 0;
};

// "epoch 3/12  step 1200/5616  loss 0.5312  gradient 1.25  301 images/s  47 min
// left"
std::string FormatProgress(const ProgressState& state, double images_per_s,
                           double seconds_left);

// Thread-safety: one thread.
class Progress {
 public:
  // Measures speed from now on, over steps of `batch` pictures.
  Progress(const TimeSource* clock, bool terminal, int64_t batch);

  // After each step; prints when it is time to.
  void Update(const ProgressState& state);

  // A line that stays, such as an epoch's result. The time since the last
  // update (of testing) does not count as training.
  void Note(absl::string_view line);

  // Over the last window of about half a minute; 0 before anything is measured.
  double images_per_s() const { return images_per_s_; }

 private:
  const TimeSource* const clock_;
  const bool terminal_;
  const int64_t batch_;
  TimePoint window_start_;
  int64_t window_steps_ = 0;
  TimePoint last_print_;
  double images_per_s_ = 0;
};

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_PROGRESS_H_
