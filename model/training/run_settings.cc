#include "model/training/run_settings.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/command_line.h"

namespace groupmamba::training {

void AddRunFlags(CLI::App* app, RunSettings* s) {
  const std::string group = "Run";
  app->add_option("--device", s->device,
                  "auto, cpu, cuda or cuda:N. cuda: a GPU for each process of "
                  "this machine; auto: the same where the build has CUDA and "
                  "there are as many, else the processor")
      ->check(CheckDeviceName)
      ->capture_default_str()
      ->group(group);
  app->add_option("--checkpoint-minutes", s->checkpoint_minutes,
                  "Between checkpoints within an epoch; the newest and the one "
                  "before it are kept")
      ->capture_default_str()
      ->group(group);
  app->add_option("--checkpoint-steps", s->checkpoint_steps,
                  "Steps between checkpoints; 0: by time alone")
      ->capture_default_str()
      ->group(group);
  app->add_option("--log-steps", s->log_steps, "Steps between the log's lines")
      ->capture_default_str()
      ->group(group);
  app->add_flag("--tensorboard", s->tensorboard,
                "Write the log's numbers for TensorBoard, too, into the "
                "folder's tensorboard/")
      ->group(group);
  app->add_option("--processes", s->processes,
                  "Start so many processes here, which share every batch; "
                  "under torchrun, RANK and WORLD_SIZE say it")
      ->capture_default_str()
      ->group(group);
  app->add_option("--peer-timeout-s", s->peer_timeout_s,
                  "Longest wait for another process, in seconds")
      ->capture_default_str()
      ->group(group);
}

absl::Status CheckRunSettings(const RunSettings& s, int64_t batch) {
  const struct {
    bool holds;
    absl::string_view problem;
  } rules[] = {
      {s.checkpoint_minutes > 0 && s.checkpoint_minutes <= 1e4,
       "--checkpoint-minutes must be above 0 and at most 10000"},
      {s.checkpoint_steps >= 0, "--checkpoint-steps must be at least 0"},
      {s.log_steps >= 1, "--log-steps must be at least 1"},
      {s.processes >= 1 && s.processes <= 1024,
       "--processes must be 1 to 1024"},
      {s.processes == 1 || !absl::StartsWith(s.device, "cuda:"),
       "--device cuda:N is one GPU, of one process; cuda is one for each of "
       "--processes"},
      {s.peer_timeout_s >= 1 && s.peer_timeout_s <= 86'400,
       "--peer-timeout-s must be 1 to 86400 seconds"},
  };
  for (const auto& rule : rules) {
    if (!rule.holds) return absl::InvalidArgumentError(rule.problem);
  }
  if (batch % s.processes != 0 || batch / s.processes < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--batch ", batch, " must be a multiple of the ", s.processes,
        " processes, with two pictures or more for each"));
  }
  return absl::OkStatus();
}

}  // namespace groupmamba::training
