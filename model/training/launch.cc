#include "model/training/launch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace groupmamba::training {
namespace {

// A listening socket on a port that the system chooses, and that port.
absl::StatusOr<int> ListenOnLoopback(int* port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot make a socket");
  absl::Cleanup closer = [fd] { close(fd); };
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0 || listen(fd, SOMAXCONN) != 0 ||
      getsockname(fd, generic, &size) != 0) {
    return absl::ErrnoToStatus(errno, "cannot listen on 127.0.0.1");
  }
  *port = ntohs(address.sin_port);
  std::move(closer).Cancel();
  return fd;
}

struct Child {
  pid_t pid;
  int status = 0;
  bool ended = false;
};

bool Failed(const Child& child) {
  return child.ended && !(WIFEXITED(child.status) &&
                          (WEXITSTATUS(child.status) == 0 ||
                           WEXITSTATUS(child.status) == kStoppedCode));
}

std::string HowItEnded(const Child& child) {
  return WIFSIGNALED(child.status)
             ? absl::StrCat("was killed by signal ", WTERMSIG(child.status),
                            " (", strsignal(WTERMSIG(child.status)), ")")
             : absl::StrCat("ended with code ", WEXITSTATUS(child.status));
}

void SendToAll(const std::vector<Child>& children, int signal) {
  for (const Child& child : children) {
    if (!child.ended) kill(child.pid, signal);
  }
}

// Notes which have ended; returns how many are left.
int Reap(std::vector<Child>* children, int options) {
  int left = 0;
  for (Child& child : *children) {
    if (!child.ended &&
        waitpid(child.pid, &child.status, options) == child.pid) {
      child.ended = true;
    }
    left += child.ended ? 0 : 1;
  }
  return left;
}

// One that was killed is the cause rather than one that lost contact with it.
int RankAtFault(const std::vector<Child>& children) {
  int found = -1;
  for (size_t rank = 0; rank < children.size(); ++rank) {
    const Child& child = children[rank];
    if (Failed(child) &&
        (found < 0 ||
         (WIFSIGNALED(child.status) && !WIFSIGNALED(children[found].status)))) {
      found = static_cast<int>(rank);
    }
  }
  return found;
}

int WaitForAll(std::vector<Child> children, const sigset_t& signals) {
  while (Reap(&children, WNOHANG) > 0) {
    if (RankAtFault(children) >= 0) break;
    siginfo_t info;
    const int signal = sigwaitinfo(&signals, &info);
    if (signal == SIGTERM || signal == SIGINT) SendToAll(children, SIGTERM);
  }
  const int fault = RankAtFault(children);
  if (fault >= 0) {
    std::fprintf(
        stderr, "groupmamba-train: process %d of %zu %s; ending %s\n", fault,
        children.size(), HowItEnded(children[fault]).c_str(),
        "the others. The same command goes on from the last checkpoint");
    // They could not go on, and may hang; checkpoints are whole at any moment.
    SendToAll(children, SIGKILL);
    Reap(&children, 0);
    return 1;
  }
  for (const Child& child : children) {
    if (WEXITSTATUS(child.status) != 0) return WEXITSTATUS(child.status);
  }
  return 0;
}

template <typename Number>
absl::Status ReadNumber(const char* name, const char* text, Number low,
                        Number high, Number* value) {
  if (text == nullptr || !absl::SimpleAtoi(text, value) || *value < low ||
      *value > high) {
    return absl::InvalidArgumentError(
        absl::StrCat("the environment's ", name, " must be a number from ", low,
                     " to ", high, " where WORLD_SIZE is set; it is ",
                     text == nullptr ? "not set" : text));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<PeerSpec>> PeerFromEnvironment(
    const std::function<const char*(const char*)>& variable) {
  const char* size = variable("WORLD_SIZE");
  if (size == nullptr) return std::nullopt;
  PeerSpec spec;
  GM_RETURN_IF_ERROR(ReadNumber("WORLD_SIZE", size, 1, 1024, &spec.size));
  GM_RETURN_IF_ERROR(
      ReadNumber("RANK", variable("RANK"), 0, spec.size - 1, &spec.rank));
  GM_RETURN_IF_ERROR(
      ReadNumber("MASTER_PORT", variable("MASTER_PORT"), 1, 65535, &spec.port));
  if (const char* local_size = variable("LOCAL_WORLD_SIZE")) {
    GM_RETURN_IF_ERROR(ReadNumber("LOCAL_WORLD_SIZE", local_size, 1, spec.size,
                                  &spec.local_size));
    GM_RETURN_IF_ERROR(ReadNumber("LOCAL_RANK", variable("LOCAL_RANK"), 0,
                                  spec.local_size - 1, &spec.local_rank));
  }
  const char* address = variable("MASTER_ADDR");
  if (address == nullptr || *address == '\0') {
    return absl::InvalidArgumentError(
        "the environment's MASTER_ADDR must be set where WORLD_SIZE is");
  }
  spec.address = address;
  if (const char* interface = variable("GLOO_SOCKET_IFNAME")) {
    spec.interface = interface;
  }
  return spec;
}

int RunLocally(int count, const std::function<int(const PeerSpec&)>& body) {
  PeerSpec spec = {.size = count,
                   .local_size = count,
                   .address = "127.0.0.1",
                   .interface = ""};
  const absl::StatusOr<int> listener = ListenOnLoopback(&spec.port);
  if (!listener.ok()) {
    std::fprintf(stderr, "groupmamba-train: %s\n",
                 std::string(listener.status().message()).c_str());
    return 1;
  }
  // Blocked here to be waited for; the children's are as they were.
  sigset_t signals, before;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT}) {
    sigaddset(&signals, signal);
  }
  sigprocmask(SIG_BLOCK, &signals, &before);
  std::fflush(nullptr);  // or each would write what waits
  std::vector<Child> children;
  const pid_t parent = getpid();
  for (spec.rank = 0; spec.rank < count; ++spec.rank) {
    const pid_t pid = fork();
    if (pid == 0) {
      spec.local_rank = spec.rank;
      // Not to outlive this process, however it ends.
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (getppid() != parent) _exit(1);
      sigprocmask(SIG_SETMASK, &before, nullptr);
      spec.listen_fd = spec.rank == 0 ? *listener : -1;
      if (spec.rank != 0) close(*listener);
      const int code = body(spec);
      std::fflush(nullptr);
      _exit(code);
    }
    if (pid < 0) {
      std::fprintf(stderr, "groupmamba-train: cannot start process %d: %s\n",
                   spec.rank, std::strerror(errno));
      SendToAll(children, SIGKILL);
      return 1;
    }
    children.push_back({.pid = pid});
  }
  close(*listener);
  return WaitForAll(std::move(children), signals);
}

}  // namespace groupmamba::training
