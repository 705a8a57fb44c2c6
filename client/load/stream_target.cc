#include "client/load/stream_target.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/slice.h>

#include <memory>
#include <unordered_map>
#include <utility>

namespace groupmamba::client {

// One stream. At any time at most one write is under way and one read. Must not
// be destroyed before AwaitEnd has returned.
//
// Writes begin on threads of which gRPC does not know, so the stream is held
// (grpc::ClientBidiReactor::AddHold) until the last read says that it is over,
// and each write again until it has begun.
class StreamTarget::Stream final
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  using Done = std::function<void(const LoadAnswer&)>;

  // All must outlive it.
  Stream(const StreamProtocol& protocol, const RequestMix& requests,
         Connection* connection)
      : protocol_(protocol), requests_(requests) {
    connection->StartStream(protocol.method, &context_, this);
    AddHold();
    StartRead(&reply_);
    StartCall();
  }

  // False: the stream is over, and `done` will not be called.
  bool Send(int64_t index, const grpc::ByteBuffer& bytes, const Done& done) {
    {
      MutexLock lock(&mutex_);
      if (over_) return false;
      unanswered_.emplace(index, done);
      to_write_.push_back({index, bytes});
    }
    WriteNext();
    return true;
  }

  // Ends the item, and does not send it if that is yet to be done. In the order
  // of the items.
  void Expire(int64_t index) {
    {
      MutexLock lock(&mutex_);
      while (!to_write_.empty() && to_write_.front().index <= index) {
        to_write_.pop_front();
      }
    }
    End(index, {.code = absl::StatusCode::kDeadlineExceeded});
  }

  // Ends it.
  void Cancel() { context_.TryCancel(); }

  // Until it has its status, which everyone has who is not answered.
  void AwaitEnd() {
    MutexLock lock(&mutex_);
    while (!done_) changed_.Wait(&mutex_);
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mutex_);
      writing_ = false;
      if (!ok) to_write_.clear();  // the stream ends
    }
    WriteNext();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        MutexLock lock(&mutex_);
        over_ = true;
      }
      RemoveHold();
      return;
    }
    const LoadReply reply = protocol_.read(reply_);
    const int64_t index = requests_.IndexOf(reply.id);
    End(index, requests_.AnswerTo(index, reply));
    StartRead(&reply_);
  }

  void OnDone(const grpc::Status& status) override {
    std::unordered_map<int64_t, Done> unanswered;
    {
      MutexLock lock(&mutex_);
      unanswered.swap(unanswered_);
    }
    LoadAnswer answer;
    // A stream that is over in peace has left them unanswered all the same.
    answer.code = status.ok()
                      ? absl::StatusCode::kUnavailable
                      : static_cast<absl::StatusCode>(status.error_code());
    for (const auto& [index, done] : unanswered) done(answer);
    MutexLock lock(&mutex_);
    done_ = true;
    changed_.NotifyAll();
  }

 private:
  struct Item {
    int64_t index = 0;
    grpc::ByteBuffer bytes;
  };

  void WriteNext() {
    {
      MutexLock lock(&mutex_);
      if (writing_ || over_ || to_write_.empty()) return;
      writing_ = true;
      item_ = std::move(to_write_.front());
      to_write_.pop_front();
      AddHold();
    }
    StartWrite(&item_.bytes);
    RemoveHold();
  }

  // Ends an item, unless it has ended before.
  void End(int64_t index, const LoadAnswer& answer) {
    Done done;
    {
      MutexLock lock(&mutex_);
      const auto found = unanswered_.find(index);
      if (found == unanswered_.end()) return;
      done = std::move(found->second);
      unanswered_.erase(found);
    }
    done(answer);
  }

  const StreamProtocol& protocol_;
  const RequestMix& requests_;
  grpc::ClientContext context_;
  Item item_;               // being written
  grpc::ByteBuffer reply_;  // being read

  Mutex mutex_;
  CondVar changed_;
  std::unordered_map<int64_t, Done> unanswered_ ABSL_GUARDED_BY(mutex_);
  std::deque<Item> to_write_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // takes nothing more
  bool done_ ABSL_GUARDED_BY(mutex_) = false;  // gRPC has let go of it
};

std::string FieldHead(int field_number, size_t bytes) {
  constexpr uint32_t kLengthDelimited = 2;
  std::string head;
  {
    google::protobuf::io::StringOutputStream out(&head);
    google::protobuf::io::CodedOutputStream coded(&out);
    coded.WriteTag(static_cast<uint32_t>(field_number) << 3 | kLengthDelimited);
    coded.WriteVarint64(bytes);
  }
  return head;
}

StreamTarget::StreamTarget(StreamProtocol protocol,
                           std::vector<std::unique_ptr<Connection>> connections,
                           int streams, const RequestMix* requests,
                           Duration deadline)
    : protocol_(std::move(protocol)),
      connections_(std::move(connections)),
      requests_(requests),
      deadline_(deadline) {
  for (int i = 0; i < streams; ++i) streams_.push_back(Open(i));
  expiry_ = std::thread([this] { ExpireItems(); });
}

StreamTarget::~StreamTarget() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  expiry_.join();
  for (const auto& stream : streams_) stream->Cancel();
  for (const auto& stream : streams_) stream->AwaitEnd();
}

std::shared_ptr<StreamTarget::Stream> StreamTarget::Open(size_t number) {
  return std::make_shared<Stream>(
      protocol_, *requests_, connections_[number % connections_.size()].get());
}

void StreamTarget::Start(int64_t index,
                         std::function<void(const LoadAnswer&)> done) {
  const size_t number = index % streams_.size();
  const grpc::ByteBuffer& request = requests_->Message(index);
  std::vector<grpc::Slice> slices;
  if (!request.Dump(&slices).ok()) {  // of one slice, it cannot fail
    done({.code = absl::StatusCode::kInternal});
    return;
  }
  slices.insert(slices.begin(),
                grpc::Slice(protocol_.head(requests_->RequestId(index),
                                           request.Length())));
  const grpc::ByteBuffer item(slices.data(), slices.size());
  const TimePoint deadline = RealClock::Get()->Now() + deadline_;
  while (!streams_[number]->Send(index, item, done)) {
    streams_[number]->AwaitEnd();
    streams_[number] = Open(number);
  }
  MutexLock lock(&mutex_);
  sent_.push_back({deadline, index, streams_[number]});
  if (sent_.size() == 1) changed_.NotifyOne();
}

void StreamTarget::ExpireItems() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    const TimePoint next = sent_.empty() ? kForever : sent_.front().deadline;
    if (RealClock::Get()->Now() < next) {
      RealClock::Get()->WaitUntil(&changed_, &mutex_, next);
      continue;
    }
    const Sent sent = sent_.front();
    sent_.pop_front();
    mutex_.Unlock();
    if (const auto stream = sent.stream.lock()) stream->Expire(sent.index);
    mutex_.Lock();
  }
}

}  // namespace groupmamba::client
