// A bidirectional stream of items that are answered one by one: what
// ClassifyStream and ModelStreamInfer have in common.

#ifndef GROUPMAMBA_SERVER_ITEM_STREAM_H_
#define GROUPMAMBA_SERVER_ITEM_STREAM_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "grpcpp/support/server_callback.h"
#include "server/grpc_status.h"
#include "server/open_streams.h"
#include "server/status_map.h"

namespace groupmamba {

// How many items of one stream may be read and not answered yet. The next is
// read when an answer has left, so that a client that sends faster than it is
// served, or does not read its answers, is held up by its own connection.
inline constexpr size_t kStreamWindow = 64;

enum class StreamOrder {
  kAsDone,  // an answer leaves when it is there
  kAsRead,  // answers leave in the order of their items
};

// Owned by gRPC; deletes itself when the call is over, after every item ended.
// Where OpenStreams::EndAll ends it, its answers leave first; then the client
// reads UNAVAILABLE, which is the answer to whatever it sent and was not read.
//
// At any time at most one read, one write and one finish are under way. Whoever
// changes the state claims, under the lock, what may begin now, and begins it
// after releasing the lock; from then on the stream may be gone.
template <typename Request, typename Response>
class ItemStream final : public grpc::ServerBidiReactor<Request, Response>,
                         private OpenStream {
 public:
  using Answered = std::function<void()>;
  using Cancel = std::function<void()>;

  // Starts one item; returns how to cancel it. `answered` is called once, on
  // any thread, maybe before this returns, with the response filled; a
  // cancelled item is answered too. The messages must not be touched after it;
  // a Cancel may come after it.
  using StartItem = std::function<Cancel(const Request&, Response*, Answered)>;

  // `window`: at least 1. `streams` must outlive it.
  ItemStream(OpenStreams* streams, size_t window, StreamOrder order,
             StartItem start)
      : streams_(streams),
        window_(window),
        order_(order),
        start_(std::move(start)) {
    const bool stays = streams_->Add(this);
    Claim claim;
    {
      MutexLock lock(&mutex_);
      if (!stays) ended_ = true;
      claim = ClaimNext();
    }
    Run(claim);
  }

  void OnReadDone(bool ok) override {
    Item* const item = TakeIncoming(ok);
    if (item != nullptr) StartTaken(item);
    Claim claim;
    {
      MutexLock lock(&mutex_);
      // Only now may the item leave.
      if (item != nullptr) item->started = true;
      claim = ClaimNext();
    }
    Run(claim);
  }

  void OnWriteDone(bool ok) override {
    Claim claim;
    {
      MutexLock lock(&mutex_);
      writing_.reset();
      if (!ok) cancelled_ = true;
      claim = ClaimNext();
    }
    Run(claim);
  }

  void OnCancel() override {
    std::vector<Cancel> unwanted;
    {
      MutexLock lock(&mutex_);
      cancelled_ = true;
      for (const auto& item : items_) {
        if (item->cancel) unwanted.push_back(item->cancel);
      }
    }
    for (const Cancel& cancel : unwanted) cancel();
    Claim claim;
    {
      MutexLock lock(&mutex_);
      claim = ClaimNext();
    }
    Run(claim);
  }

  void OnDone() override {
    streams_->Remove(this);
    delete this;
  }

 private:
  struct Item {
    std::unique_ptr<Request> request = std::make_unique<Request>();
    Response response;
    Cancel cancel;
    bool started = false;  // StartItem has returned
    bool answered = false;
  };

  // What may begin now.
  struct Claim {
    Item* read = nullptr;
    Item* write = nullptr;
    bool finish = false;
    grpc::Status status = {};
  };

  std::function<void()> ClaimEnd() override {
    MutexLock lock(&mutex_);
    ended_ = true;
    const Claim claim = ClaimNext();
    if (claim.write == nullptr && !claim.finish) return nullptr;
    return [this, claim] { Run(claim); };
  }

  // The item that was read, now one of items_; null: there is none, or it is
  // too late for it.
  Item* TakeIncoming(bool ok) {
    MutexLock lock(&mutex_);
    reading_ = false;
    if (!ok) all_read_ = true;
    if (!ok || finished_) return nullptr;
    items_.push_back(std::move(incoming_));
    return items_.back().get();
  }

  void StartTaken(Item* item) {
    const Cancel cancel = start_(*item->request, &item->response,
                                 [this, item] { ItemAnswered(item); });
    bool unwanted;
    {
      MutexLock lock(&mutex_);
      item->cancel = cancel;
      unwanted = cancelled_;
    }
    if (unwanted) cancel();
  }

  void ItemAnswered(Item* item) {
    // A picture is large, its answer is small: who waits to leave holds little.
    item->request.reset();
    Claim claim;
    {
      MutexLock lock(&mutex_);
      item->answered = true;
      claim = ClaimNext();
    }
    Run(claim);
  }

  void Run(const Claim& claim) {
    if (claim.read != nullptr) this->StartRead(claim.read->request.get());
    if (claim.write != nullptr) this->StartWrite(&claim.write->response);
    if (claim.finish) this->Finish(claim.status);
  }

  Claim ClaimNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Claim claim;
    if (writing_ == nullptr) claim.write = ClaimWrite();
    if (cancelled_) all_read_ = true;
    if (!reading_ && !all_read_ && !ended_ && items_.size() < window_) {
      reading_ = true;
      incoming_ = std::make_unique<Item>();
      claim.read = incoming_.get();
    }
    // A read that waits for a client ends with the stream.
    const bool no_more = ended_ || (all_read_ && !reading_);
    if (!finished_ && no_more && writing_ == nullptr && items_.empty()) {
      finished_ = true;
      claim.finish = true;
      claim.status = FinalStatus();
    }
    return claim;
  }

  grpc::Status FinalStatus() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (cancelled_) return grpc::Status::CANCELLED;
    if (all_read_) return grpc::Status::OK;
    return ToGrpcStatus(Error(Reason::kDraining));
  }

  // The next answer to send; on a cancelled stream answers are dropped.
  Item* ClaimWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (auto it = items_.begin(); it != items_.end();) {
      const bool ready = (*it)->started && (*it)->answered;
      if (ready && cancelled_) {
        it = items_.erase(it);
        continue;
      }
      if (ready) {
        writing_ = std::move(*it);
        items_.erase(it);
        return writing_.get();
      }
      if (order_ == StreamOrder::kAsRead && !cancelled_) return nullptr;
      ++it;
    }
    return nullptr;
  }

  OpenStreams* const streams_;
  const size_t window_;
  const StreamOrder order_;
  const StartItem start_;

  Mutex mutex_;
  std::unique_ptr<Item> incoming_ ABSL_GUARDED_BY(mutex_);  // being read
  std::deque<std::unique_ptr<Item>> items_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Item> writing_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool all_read_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // by the server
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ITEM_STREAM_H_
