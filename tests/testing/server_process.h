// groupmamba-server as a process of its own.

#ifndef GROUPMAMBA_TESTS_TESTING_SERVER_PROCESS_H_
#define GROUPMAMBA_TESTS_TESTING_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

namespace groupmamba {

// Not thread-safe.
class ServerProcess {
 public:
  // Starts `program` with its standard error in our hands.
  ServerProcess(const std::string& program,
                const std::vector<std::string>& arguments);

  // Kills it if it still runs.
  ~ServerProcess();

  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Reads its standard error up to a line that holds `text`; that line, or
  // nothing when the process ended before.
  std::string AwaitLine(const std::string& text);

  // Waits for the line "serving" and takes the ports from it; false: the
  // process ended before.
  bool AwaitServing();

  pid_t pid() const { return pid_; }
  int port() const { return port_; }
  int metrics_port() const { return metrics_port_; }
  int admin_port() const { return admin_port_; }  // 0: none

  void Signal(int number) const;

  // Waits for its end; its exit code, or minus the signal that killed it.
  int Wait();

 private:
  pid_t pid_ = -1;
  FILE* standard_error_ = nullptr;
  int port_ = 0;
  int metrics_port_ = 0;
  int admin_port_ = 0;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_SERVER_PROCESS_H_
