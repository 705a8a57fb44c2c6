// Runs groupmamba-client inside the test, with streams of its own.

#ifndef GROUPMAMBA_TESTS_CLIENT_RUN_COMMAND_H_
#define GROUPMAMBA_TESTS_CLIENT_RUN_COMMAND_H_

#include <sstream>
#include <string>
#include <vector>

#include "client/app.h"
#include "client/io.h"

namespace groupmamba::client {

struct CommandResult {
  int code;
  std::string out;
  std::string err;
};

inline CommandResult RunCommand(const std::vector<std::string>& args,
                                std::istream& in, bool terminal = false) {
  std::ostringstream out;
  std::ostringstream err;
  Io io;
  io.in = &in;
  io.out = &out;
  io.err = &err;
  io.out_is_terminal = terminal;
  io.err_is_terminal = terminal;
  const int code = RunClient(args, io);
  return {code, out.str(), err.str()};
}

inline CommandResult RunCommand(const std::vector<std::string>& args) {
  std::istringstream in;
  return RunCommand(args, in);
}

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_TESTS_CLIENT_RUN_COMMAND_H_
