// The connections that this process let in, and what is known of each: how many
// there are, and whether its client abuses it.
//
// gRPC owns the sockets and tells nobody when it reads or closes one. So
// server/socket_hooks.cc stands between gRPC and three functions of its
// libraries, and calls the functions at this file's end: what a client sent is
// seen before gRPC sees it, without a copy and without a thread in between.

#ifndef GROUPMAMBA_SERVER_CONNECTIONS_H_
#define GROUPMAMBA_SERVER_CONNECTIONS_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/frame_counter.h"
#include "server/log_limit.h"

namespace groupmamba {

struct ConnectionPolicy {
  int max_connections = 1000;
  bool tls = false;

  // Whether frames are counted; else connections alone.
  bool guard = true;
  FrameLimits frames;

  // Of unfinished messages, all connections together. Beyond it, whoever holds
  // most is disconnected.
  int64_t upload_bytes = int64_t{256} << 20;

  // How long a frame or a message may take to arrive.
  Duration receive_timeout = std::chrono::seconds(60);
};

class Connection;

// Those of one listener. Thread-safe.
class Connections : public std::enable_shared_from_this<Connections> {
 public:
  // `clock` must outlive it.
  Connections(const ConnectionPolicy& policy, const TimeSource* clock)
      : policy_(policy), clock_(clock) {}

  // Takes note of a socket, which somebody else owns and closes. False, and
  // counted: there are too many.
  bool Add(int fd);

  // Its socket is about to be closed.
  void Remove(int fd);

  // Counts a connection that was refused for another reason.
  void CountRefused() { ++refused_; }

  // For a server that ends: FrameCounter::HideNewCalls on each.
  void HideNewCalls() { hide_new_calls_ = true; }

  // Disconnects those whose frames or messages take too long.
  void CloseSlow();

  int open() const;
  int64_t refused() const { return refused_; }
  int64_t abused(Abuse abuse) const {
    return abused_[static_cast<size_t>(abuse)];
  }

 private:
  friend class Connection;

  // Ends one: shuts its socket down, so that gRPC sees it end.
  void End(Connection* connection, Abuse abuse)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // When unfinished messages hold too much. True: `reader`, who has just read,
  // holds most.
  bool HoldsMost(const Connection* reader);

  const ConnectionPolicy policy_;
  const TimeSource* const clock_;

  std::atomic<int64_t> refused_ = 0;
  std::array<std::atomic<int64_t>, kAbuseCount> abused_ = {};
  std::atomic<int64_t> unfinished_bytes_ = 0;
  std::atomic<bool> hide_new_calls_ = false;
  LogLimit log_limit_;

  mutable Mutex mutex_;
  std::map<int, std::shared_ptr<Connection>> open_ ABSL_GUARDED_BY(mutex_);
};

// ---- for server/socket_hooks.cc

// `size` bytes were received from a socket into the message's pieces, and may
// be changed. False: the connection has ended; nobody may see them.
bool OnReceived(int fd, const msghdr& message, size_t size);

// The same for what came out of TLS. `ssl` is OpenSSL's SSL, a server's.
bool OnDecrypted(void* ssl, void* data, size_t size);

// Comes before a file is closed.
void OnClose(int fd);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CONNECTIONS_H_
