#include "server/connections.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"

namespace groupmamba {
namespace {

// Sockets with a higher number are refused: the table is all there is.
constexpr int kMaxFd = 1 << 16;

// Where a client's first bytes hold its random number: a record's header, a
// message's header, the version (RFC 8446, section 4.1.2).
constexpr size_t kRandomAt = 11;
constexpr size_t kRandomSize = 32;
using Random = std::array<uint8_t, kRandomSize>;

}  // namespace

// One. Read by one thread at a time, as gRPC reads it; what others look at is
// atomic.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(int fd, std::shared_ptr<Connections> all)
      : fd_(fd), all_(std::move(all)), counter_(all_->policy_.frames) {}

  ~Connection() { all_->unfinished_bytes_ -= unfinished_bytes_; }

  int fd() const { return fd_; }
  bool tls() const { return all_->policy_.tls; }
  bool guarded() const { return all_->policy_.guard; }
  bool ended() const { return ended_; }
  void SetEnded() { ended_ = true; }
  Connections& all() const { return *all_; }

  int64_t unfinished_bytes() const { return unfinished_bytes_; }
  TimePoint unfinished_since() const { return unfinished_since_; }

  // Plain HTTP/2. False: the connection has ended.
  bool Read(uint8_t* data, size_t size) {
    if (ended_) return false;
    if (all_->hide_new_calls_) counter_.HideNewCalls();
    std::optional<Abuse> abuse = counter_.Read(data, size, all_->clock_->Now());
    unfinished_since_ = counter_.unfinished_since();
    const int64_t more = counter_.unfinished_bytes() - unfinished_bytes_;
    unfinished_bytes_ += more;
    all_->unfinished_bytes_ += more;
    if (more > 0 && all_->unfinished_bytes_ > all_->policy_.upload_bytes &&
        all_->HoldsMost(this)) {
      abuse = Abuse::kUploads;
    }
    if (!abuse.has_value()) return true;
    MutexLock lock(&all_->mutex_);
    all_->End(this, *abuse);
    return false;
  }

  // The beginning of TLS, until its random number is there; false: it is not
  // yet, or was before.
  bool ReadHello(const uint8_t* data, size_t size, Random* random) {
    if (hello_size_ == sizeof(hello_)) return false;
    const size_t taken = std::min(size, sizeof(hello_) - hello_size_);
    std::copy_n(data, taken, hello_ + hello_size_);
    hello_size_ += taken;
    if (hello_size_ < sizeof(hello_)) return false;
    std::copy_n(hello_ + kRandomAt, kRandomSize, random->begin());
    return true;
  }

 private:
  const int fd_;
  const std::shared_ptr<Connections> all_;
  FrameCounter counter_;
  uint8_t hello_[kRandomAt + kRandomSize] = {};
  size_t hello_size_ = 0;
  std::atomic<bool> ended_ = false;
  std::atomic<int64_t> unfinished_bytes_ = 0;
  std::atomic<TimePoint> unfinished_since_ = kForever;
};

namespace {

// All of the process, by their sockets. A pointer is valid until OnClose.
std::array<std::atomic<Connection*>, kMaxFd> g_by_fd = {};

// Which connection of TLS is whose socket: OpenSSL knows no sockets here, but
// both ends of it know the client's random number. A client may use one twice.
class Hellos {
 public:
  void Add(const Random& random, std::weak_ptr<Connection> connection) {
    MutexLock lock(&mutex_);
    // Those that ended within their handshake.
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      it = it->second.expired() ? waiting_.erase(it) : std::next(it);
    }
    waiting_.emplace(random, std::move(connection));
  }

  std::shared_ptr<Connection> Take(const Random& random) {
    MutexLock lock(&mutex_);
    const auto found = waiting_.find(random);
    if (found == waiting_.end()) return nullptr;
    std::shared_ptr<Connection> connection = found->second.lock();
    waiting_.erase(found);
    return connection;
  }

 private:
  Mutex mutex_;
  std::multimap<Random, std::weak_ptr<Connection>> waiting_
      ABSL_GUARDED_BY(mutex_);
};

Hellos* TheHellos() {
  static auto* const hellos = new Hellos;
  return hellos;
}

// What an SSL carries: its connection, null for one that is not ours.
using Carried = std::shared_ptr<Connection>;

void FreeCarried(void*, void* carried, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Carried*>(carried);
}

Connection* ConnectionOf(SSL* ssl) {
  static const int index =
      SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeCarried);
  auto* carried = static_cast<Carried*>(SSL_get_ex_data(ssl, index));
  if (carried == nullptr) {
    Random random;
    SSL_get_client_random(ssl, random.data(), random.size());
    carried = new Carried(TheHellos()->Take(random));
    SSL_set_ex_data(ssl, index, carried);
  }
  return carried->get();
}

}  // namespace

bool Connections::Add(int fd) {
  MutexLock lock(&mutex_);
  if (fd >= kMaxFd ||
      open_.size() >= static_cast<size_t>(policy_.max_connections)) {
    ++refused_;
    return false;
  }
  auto connection = std::make_shared<Connection>(fd, shared_from_this());
  g_by_fd[fd] = connection.get();
  open_[fd] = std::move(connection);
  return true;
}

void Connections::Remove(int fd) {
  std::shared_ptr<Connection> last;  // outlives the lock
  MutexLock lock(&mutex_);
  const auto found = open_.find(fd);
  if (found == open_.end()) return;
  last = std::move(found->second);
  open_.erase(found);
}

int Connections::open() const {
  MutexLock lock(&mutex_);
  return static_cast<int>(open_.size());
}

void Connections::End(Connection* connection, Abuse abuse) {
  if (connection->ended()) return;
  connection->SetEnded();
  shutdown(connection->fd(), SHUT_RDWR);
  ++abused_[static_cast<size_t>(abuse)];
  if (const int64_t count = log_limit_.Count(clock_->Now()); count > 0) {
    Log(LogLevel::kWarning, "connections ended for abuse",
        {{"count", count}, {"last", AbuseName(abuse)}});
  }
}

bool Connections::HoldsMost(const Connection* reader) {
  MutexLock lock(&mutex_);
  int64_t held = 0;
  Connection* most = nullptr;
  for (const auto& [fd, connection] : open_) {
    if (connection->ended()) continue;
    held += connection->unfinished_bytes();
    if (most == nullptr ||
        connection->unfinished_bytes() > most->unfinished_bytes()) {
      most = connection.get();
    }
  }
  // Those that have ended give theirs back in a moment.
  if (most == nullptr || held <= policy_.upload_bytes) return false;
  if (most == reader) return true;
  End(most, Abuse::kUploads);
  return false;
}

void Connections::CloseSlow() {
  const TimePoint latest = clock_->Now() - policy_.receive_timeout;
  MutexLock lock(&mutex_);
  for (const auto& [fd, connection] : open_) {
    if (connection->unfinished_since() < latest) {
      End(connection.get(), Abuse::kSlow);
    }
  }
}

bool OnReceived(int fd, const msghdr& message, size_t size) {
  if (fd < 0 || fd >= kMaxFd) return true;
  Connection* const connection = g_by_fd[fd].load(std::memory_order_acquire);
  if (connection == nullptr || !connection->guarded()) return true;
  if (connection->ended()) return false;
  for (size_t i = 0; i < message.msg_iovlen && size > 0; ++i) {
    auto* const data = static_cast<uint8_t*>(message.msg_iov[i].iov_base);
    const size_t piece = std::min(size, message.msg_iov[i].iov_len);
    size -= piece;
    if (connection->tls()) {
      Random random;
      if (connection->ReadHello(data, piece, &random)) {
        TheHellos()->Add(random, connection->weak_from_this());
      }
    } else if (!connection->Read(data, piece)) {
      return false;
    }
  }
  return true;
}

bool OnDecrypted(void* ssl, void* data, size_t size) {
  Connection* const connection = ConnectionOf(static_cast<SSL*>(ssl));
  return connection == nullptr ||
         connection->Read(static_cast<uint8_t*>(data), size);
}

void OnClose(int fd) {
  if (fd < 0 || fd >= kMaxFd) return;
  if (g_by_fd[fd].load(std::memory_order_acquire) == nullptr) return;
  Connection* const connection = g_by_fd[fd].exchange(nullptr);
  if (connection == nullptr) return;
  // Its group must not go with it while it is in use.
  const auto all = connection->all().shared_from_this();
  all->Remove(fd);
}

}  // namespace groupmamba
