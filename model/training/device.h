// Where a run computes: on the processor, or on a GPU in a build with CUDA.

#ifndef GROUPMAMBA_MODEL_TRAINING_DEVICE_H_
#define GROUPMAMBA_MODEL_TRAINING_DEVICE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "c10/core/Device.h"
#include "model/training/run_settings.h"

namespace groupmamba::training {

// INVALID_ARGUMENT: this build cannot train on such a device (--device), and
// what can. Asks no driver: processes may be forked afterwards.
absl::Status CheckDevice(const std::string& name);

// The device of a process that is number `local_rank` of `local_size` on this
// machine, for --device `name`; with `cuda` each has the GPU of its number. A
// GPU becomes the process's current one, and LibTorch is told to compute on it
// in fp32 where the operands are fp32, and with deterministic algorithms. Call
// it before anything else uses the GPU. UNAVAILABLE: no such GPU can be used.
// Throws c10::Error where the GPU fails.
absl::StatusOr<at::Device> ChooseDevice(const std::string& name, int local_rank,
                                        int local_size);

// That of settings whose device is chosen; before that, the processor.
at::Device DeviceOf(const RunSettings& settings);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_DEVICE_H_
