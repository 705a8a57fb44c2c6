// groupmamba-client without main(): the command line in, an exit code out.

#ifndef GROUPMAMBA_CLIENT_APP_H_
#define GROUPMAMBA_CLIENT_APP_H_

#include <string>
#include <vector>

#include "client/io.h"

namespace groupmamba::client {

// Runs the command that `args` (without the program's name) asks for. Returns
// an ExitCode.
int RunClient(const std::vector<std::string>& args, const Io& io);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_APP_H_
