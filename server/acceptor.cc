#include "server/acceptor.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/socket_hooks.h"

namespace groupmamba {
namespace {

constexpr int kBacklog = 1024;

// How often slow connections are looked for.
constexpr int kSweepMs = 250;

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

void SetOption(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof(on));
}

// Listens on one of a name's addresses; -1: it cannot.
int ListenOn(const addrinfo& address) {
  const int fd =
      socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR);
  // Accepted sockets inherit it.
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY);
  if (bind(fd, address.ai_addr, address.ai_addrlen) != 0 ||
      listen(fd, kBacklog) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

int PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

void SetPort(int port, addrinfo* address) {
  if (address->ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address->ai_addr)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(address->ai_addr)->sin_port = htons(port);
  }
}

}  // namespace

Acceptor::Acceptor(std::shared_ptr<Connections> connections)
    : connections_(std::move(connections)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      spare_(OpenSpare()) {}

Acceptor::~Acceptor() {
  Stop();
  close(stop_);
  close(spare_);
}

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Bind(
    const std::string& address, std::shared_ptr<Connections> connections) {
  if (!SocketHooksWork()) {
    // Connections would be counted when they come and not when they go.
    return absl::InternalError(
        "this program is linked so that gRPC does not call its socket hooks");
  }
  std::unique_ptr<Acceptor> acceptor(new Acceptor(std::move(connections)));
  GM_RETURN_IF_ERROR(acceptor->Listen(address));
  return acceptor;
}

absl::Status Acceptor::Listen(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const absl::Status cannot =
      absl::UnavailableError(absl::StrCat("cannot listen on ", address));
  if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) !=
      0) {
    return cannot;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found,
                                                                 freeaddrinfo);
  // A name may stand for several; all get the port of the first.
  for (addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (port_ != 0) SetPort(port_, one);
    const int fd = ListenOn(*one);
    if (fd < 0) return cannot;
    listeners_.push_back(fd);
    port_ = PortOf(fd);
  }
  return absl::OkStatus();
}

void Acceptor::Start(
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server) {
  server_ = std::move(server);
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_, &one, sizeof(one));
    thread_.join();
  }
  for (const int fd : listeners_) close(fd);
  listeners_.clear();
}

void Acceptor::Run() {
  std::vector<pollfd> waits = {{stop_, POLLIN, 0}};
  for (const int fd : listeners_) waits.push_back({fd, POLLIN, 0});
  bool starved = false;
  while (true) {
    // What waits to be accepted and cannot be would end every wait at once.
    poll(waits.data(), starved ? 1 : waits.size(), kSweepMs);
    if (waits.front().revents != 0) return;
    starved = false;
    for (size_t i = 1; i < waits.size(); ++i) {
      if (!AcceptAll(waits[i].fd)) starved = true;
    }
    connections_->CloseSlow();
  }
}

// False: the process has no file descriptor left for those who wait.
bool Acceptor::AcceptAll(int listener) {
  while (true) {
    const int fd =
        accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Accepted(listener, fd);
    } else if (errno == EMFILE || errno == ENFILE) {
      if (!RefuseOne(listener)) return false;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return true;
    }
  }
}

void Acceptor::Accepted(int listener, int fd) {
  if (!connections_->Add(fd)) {
    close(fd);
    return;
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
      connection;
  connection.listener_fd = listener;
  connection.fd = fd;
  server_->HandleNewConnection(&connection);
}

// By the spare file descriptor. False: nobody waits, or somebody else was
// faster to take it.
bool Acceptor::RefuseOne(int listener) {
  close(spare_);
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    connections_->CountRefused();
  }
  spare_ = OpenSpare();
  return fd >= 0;
}

}  // namespace groupmamba
