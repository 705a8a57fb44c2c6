#include "tests/testing/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

extern char** environ;

namespace groupmamba {
namespace {

// The port at the end of "<key>=ADDRESS:PORT" in a line of the log.
int PortOf(const std::string& line, const std::string& key) {
  const size_t start = line.find(key + "=");
  const size_t end = line.find_first_of(" \n", start);
  const size_t colon = line.rfind(':', end);
  if (colon < start) return 0;
  return std::atoi(line.substr(colon + 1, end - colon - 1).c_str());
}

}  // namespace

ServerProcess::ServerProcess(const std::string& program,
                             const std::vector<std::string>& arguments) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  if (posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(),
                  environ) != 0) {
    std::abort();
  }
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  standard_error_ = fdopen(ends[0], "r");
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    Wait();
  }
  std::fclose(standard_error_);
}

std::string ServerProcess::AwaitLine(const std::string& text) {
  std::string line;
  for (int c = 0; (c = std::fgetc(standard_error_)) != EOF;) {
    line.push_back(static_cast<char>(c));
    if (c != '\n') continue;
    if (line.find(text) != std::string::npos) return line;
    line.clear();
  }
  return "";
}

bool ServerProcess::AwaitServing() {
  const std::string line = AwaitLine(" serving ");
  if (line.empty()) return false;
  port_ = PortOf(line, "address");
  metrics_port_ = PortOf(line, "metrics");
  admin_port_ = PortOf(line, "admin");  // of "off": 0
  return true;
}

void ServerProcess::Signal(int number) const { kill(pid_, number); }

int ServerProcess::Wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace groupmamba
