#include "server/metrics_page.h"

#include <dlfcn.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#ifdef GM_WITH_CUDA
// The metrics' HTTP server gives its threads stacks of 100 KB. Where CUDA's
// libraries are linked, 94 KB of every stack are theirs (cuBLASLt's
// thread-local storage), and such a thread cannot be made. So no stack is that
// small here.
extern "C" int pthread_attr_setstacksize(pthread_attr_t* attributes,
                                         size_t bytes) noexcept {
  static const auto set = reinterpret_cast<int (*)(pthread_attr_t*, size_t)>(
      dlsym(RTLD_NEXT, "pthread_attr_setstacksize"));
  constexpr size_t kLeast = size_t{1} << 20;
  return set(attributes, std::max(bytes, kLeast));
}
#endif

namespace groupmamba {
namespace {

// Whether `fd` is a socket that takes connections on `port`.
bool ListensOn(int fd, int port) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 ||
      listens == 0) {
    return false;
  }
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } address = {};
  size = sizeof(address);
  if (getsockname(fd, &address.any, &size) != 0) return false;
  const bool v6 = address.any.sa_family == AF_INET6;
  return ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port) == port;
}

// CivetWeb, which is behind the Exposer, hears that it shall stop only when its
// wait for connections ends: after up to two seconds. A listening socket that
// is shut down ends the wait; the library does not tell which one is its own.
void StopListening(int port) {
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end;
       !error && it != end; it.increment(error)) {
    int fd = -1;
    if (absl::SimpleAtoi(it->path().filename().string(), &fd) &&
        ListensOn(fd, port)) {
      shutdown(fd, SHUT_RDWR);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsPage>> MetricsPage::Start(
    const std::string& listen, const Metrics& metrics) {
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(listen);
  } catch (const std::exception&) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listen, " for metrics"));
  }
  for (const auto& collectable : metrics.collectables()) {
    exposer->RegisterCollectable(collectable);
  }
  return std::unique_ptr<MetricsPage>(new MetricsPage(std::move(exposer)));
}

MetricsPage::~MetricsPage() { StopListening(port()); }

}  // namespace groupmamba
