// What a load test calls over gRPC's streams: the calls are items, sent in turn
// over several bidirectional streams and answered one by one.

#ifndef GROUPMAMBA_CLIENT_LOAD_STREAM_TARGET_H_
#define GROUPMAMBA_CLIENT_LOAD_STREAM_TARGET_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "client/connection.h"
#include "client/load/request_mix.h"
#include "client/load/target.h"

namespace groupmamba::client {

struct StreamProtocol {
  std::string method;  // "/package.Service/Method"

  // What stands before a request of that many bytes to make an item of it.
  std::function<std::string(const std::string& id, size_t request_bytes)> head;

  // What a reply's bytes hold, with its item's id; none where they hold none.
  std::function<LoadReply(const grpc::ByteBuffer&)> read;
};

// A protobuf field's tag and the length of what follows.
std::string FieldHead(int field_number, size_t bytes);

// Start() is called by one thread at a time.
class StreamTarget : public LoadTarget {
 public:
  // Opens `streams`, at least 1, over the connections in turn. An item without
  // an answer after `deadline` ends with DEADLINE_EXCEEDED; those on a stream
  // that ends, with its status, and the next item opens a new one. `requests`
  // must outlive it.
  StreamTarget(StreamProtocol protocol,
               std::vector<std::unique_ptr<Connection>> connections,
               int streams, const RequestMix* requests, Duration deadline);

  // Cancels the streams. No call may be in flight.
  ~StreamTarget() override;

  void Start(int64_t index,
             std::function<void(const LoadAnswer&)> done) override;

 private:
  class Stream;

  std::shared_ptr<Stream> Open(size_t number);
  void ExpireItems();

  const StreamProtocol protocol_;
  const std::vector<std::unique_ptr<Connection>> connections_;
  const RequestMix* const requests_;
  const Duration deadline_;
  std::vector<std::shared_ptr<Stream>> streams_;

  struct Sent {
    TimePoint deadline;
    int64_t index = 0;
    std::weak_ptr<Stream> stream;
  };
  Mutex mutex_;
  CondVar changed_;
  std::deque<Sent> sent_ ABSL_GUARDED_BY(mutex_);  // of late, oldest first
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread expiry_;  // last: uses what is above
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_STREAM_TARGET_H_
