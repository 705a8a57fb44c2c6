// How the processes of a run come to be: started by torchrun or Kubernetes, or
// several by this one. Torch-free, since it must come before LibTorch's
// threads.

#ifndef GROUPMAMBA_MODEL_TRAINING_LAUNCH_H_
#define GROUPMAMBA_MODEL_TRAINING_LAUNCH_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace groupmamba::training {

// A process's place among those of a run.
struct PeerSpec {
  int rank = 0;  // from 0; the process of rank 0 writes the files
  int size = 1;
  int local_rank = 0;  // among those of this machine
  int local_size = 1;
  std::string address;    // where rank 0 listens
  int port = 0;           // its port
  int listen_fd = -1;     // rank 0: that port's listening socket; -1: none yet
  std::string interface;  // network interface to use; empty: by the host's name
  int64_t timeout_s = 300;  // for the others to come, and for every exchange
};

// As torchrun and Kubernetes' PyTorchJob tell it: RANK, WORLD_SIZE,
// MASTER_ADDR, MASTER_PORT and, if set, LOCAL_RANK with LOCAL_WORLD_SIZE (not
// set: alone on its machine) and GLOO_SOCKET_IFNAME. `variable` looks
// one up, null: not set. Nothing where WORLD_SIZE is not set. INVALID_ARGUMENT
// names the variable that is missing or wrong.
absl::StatusOr<std::optional<PeerSpec>> PeerFromEnvironment(
    const std::function<const char*(const char*)>& variable);

// What Run gives when a process was asked to stop: its own exit code.
inline constexpr int kStoppedCode = 3;

// Forks `count` processes of this machine; each runs `body` and ends with what
// it returns. Passes SIGTERM and SIGINT on to them. When one fails, ends the
// others and says on standard error which it was, and how. Returns 0,
// kStoppedCode when all stopped, or 1. The caller must have one thread.
int RunLocally(int count, const std::function<int(const PeerSpec&)>& body);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_LAUNCH_H_
