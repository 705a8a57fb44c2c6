// How a run is run: as far as its result does not depend on it, but for the
// kind of device and the number of processes.

#ifndef GROUPMAMBA_MODEL_TRAINING_RUN_SETTINGS_H_
#define GROUPMAMBA_MODEL_TRAINING_RUN_SETTINGS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace groupmamba::training {

struct RunSettings {
  // auto, cpu, cuda or cuda:N; once it is chosen (device.h) cpu or cuda:N.
  std::string device = "auto";
  double checkpoint_minutes = 3;  // between checkpoints within an epoch
  int64_t checkpoint_steps = 0;   // the same in steps; 0: by time alone
  int64_t log_steps = 10;         // between lines of the log
  bool tensorboard = false;       // write event files, too
  int processes = 1;              // that train together
  int64_t peer_timeout_s = 300;   // that one waits for another
};

void AddRunFlags(CLI::App* app, RunSettings* settings);

// INVALID_ARGUMENT names the setting that is out of range. `batch`: pictures in
// a step of all processes together.
absl::Status CheckRunSettings(const RunSettings& settings, int64_t batch);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_RUN_SETTINGS_H_
