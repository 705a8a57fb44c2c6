// Stands between gRPC and three functions of its libraries. A program's own
// functions come before those of the shared libraries that it uses, for these
// libraries too; each of ours calls the library's and lets
// server/connections.cc see the outcome.

#include "server/socket_hooks.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "server/connections.h"

namespace groupmamba {
namespace {

template <typename Function>
Function* Library(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// What a library's call of `name` finds.
template <typename Function>
bool IsFound(const char* name, Function* ours) {
  return dlsym(RTLD_DEFAULT, name) == reinterpret_cast<void*>(ours);
}

}  // namespace

bool SocketHooksWork() {
  return IsFound("recvmsg", &recvmsg) && IsFound("close", &close) &&
         IsFound("SSL_read", &SSL_read);
}

}  // namespace groupmamba

extern "C" {

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static const auto receive =
      groupmamba::Library<ssize_t(int, msghdr*, int)>("recvmsg");
  const ssize_t size = receive(fd, message, flags);
  if (size > 0 && (flags & (MSG_PEEK | MSG_ERRQUEUE)) == 0 &&
      !groupmamba::OnReceived(fd, *message, static_cast<size_t>(size))) {
    errno = ECONNRESET;
    return -1;
  }
  return size;
}

int close(int fd) {
  static const auto close_file = groupmamba::Library<int(int)>("close");
  groupmamba::OnClose(fd);
  return close_file(fd);
}

int SSL_read(SSL* ssl, void* data, int size) {
  static const auto read =
      groupmamba::Library<int(SSL*, void*, int)>("SSL_read");
  const int got = read(ssl, data, size);
  if (got > 0 && SSL_is_server(ssl) != 0 &&
      !groupmamba::OnDecrypted(ssl, data, static_cast<size_t>(got))) {
    ERR_raise(ERR_LIB_USER, ERR_R_OPERATION_FAIL);
    return -1;
  }
  return got;
}

}  // extern "C"
