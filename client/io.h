// What a command may touch of the world: three streams and a clock. Tests bring
// their own; main.cc brings the process's.

#ifndef GROUPMAMBA_CLIENT_IO_H_
#define GROUPMAMBA_CLIENT_IO_H_

#include <istream>
#include <ostream>
#include <string>

#include "base/clock.h"

namespace groupmamba::client {

// Results go to `out`, diagnostics and progress to `err`. All pointers are
// borrowed and must be set.
struct Io {
  std::istream* in = nullptr;
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;

  // Whether a person watches: bars on `out`, a progress line on `err`.
  bool out_is_terminal = false;
  bool err_is_terminal = false;

  Clock* clock = RealClock::Get();

  // What was typed, for reports; RunClient fills it in.
  std::string command_line = {};
};

// The exit codes of groupmamba-client.
enum ExitCode : int {
  kExitOk = 0,
  kExitSomeFailed = 1,   // some picture or call failed
  kExitWrongUsage = 2,   // an argument is wrong; nothing was sent
  kExitMissed = 3,       // an objective was missed
  kExitUnreachable = 4,  // the server cannot be reached
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_IO_H_
