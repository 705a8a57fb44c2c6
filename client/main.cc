#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "client/app.h"

int main(int argc, char** argv) {
  // Debian builds Abseil with its check of the order of locks, which costs gRPC
  // an eighth of its time.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  groupmamba::client::Io io;
  io.in = &std::cin;
  io.out = &std::cout;
  io.err = &std::cerr;
  io.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  io.err_is_terminal = isatty(STDERR_FILENO) == 1;
  return groupmamba::client::RunClient(
      std::vector<std::string>(argv + 1, argv + argc), io);
}
