// One request on its way through the server: one object that moves from stage
// to stage, owned by one of them at a time, and ends in exactly one terminal
// status.

#ifndef GROUPMAMBA_SERVER_TASK_H_
#define GROUPMAMBA_SERVER_TASK_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "server/admission.h"
#include "server/batching/queue_key.h"
#include "server/batching/slot_pool.h"
#include "server/status_map.h"

namespace groupmamba {

class ServedModel;

// A picture as the client sent it. The bytes belong to the request's message,
// which outlives the task.
struct Picture {
  enum class Kind {
    kNone,
    kFile,
    kPixels,      // of any size: resized and cropped like a file's
    kModelInput,  // of the model's own size: taken as they are
  };

  Kind kind = Kind::kNone;
  absl::Span<const uint8_t> bytes =
      {};             // of the file; or pixels, RGB, row by row
  int64_t width = 0;  // of pixels
  int64_t height = 0;
};

class Task {
 public:
  // Called once, by whichever thread ends the task. With an OK status
  // `task.logits` holds the model's answer; it is gone after the call.
  using Done =
      std::function<void(const Task& task, const absl::Status& status)>;

  // When what happened, by the server's clock; a stage that was not reached
  // leaves its default.
  struct Times {
    TimePoint arrived;
    TimePoint decoded;  // or found to be no picture
    TimePoint queued;   // ready for the model
    TimePoint
        free;  // an instance began to look for work; may be before `queued`
    TimePoint launched;  // the batch was formed
    TimePoint
        inference_from;  // the last call of the model that held this picture
    TimePoint inferred;
  };

  Task(const QueueKey& queue_key, const Picture& a_picture, Done done)
      : key(queue_key), picture(a_picture), done_(std::move(done)) {}

  // A task that somebody dropped still gets its answer.
  ~Task() { End(Error(Reason::kInternal)); }

  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  static void Finish(std::unique_ptr<Task> task, const absl::Status& status) {
    task->End(status);
  }

  // OK, or why nothing should be done for this task any more.
  absl::Status Alive(TimePoint now) const {
    // The deadline first: gRPC cancels a call whose deadline passed, too.
    if (now >= key.deadline) return Error(Reason::kExpired);
    if (cancelled->load()) return Error(Reason::kCancelled);
    return absl::OkStatus();
  }

  const QueueKey key;
  const Picture picture;

  // Set by the caller's thread when the client goes away; read by the owner.
  const std::shared_ptr<std::atomic<bool>> cancelled =
      std::make_shared<std::atomic<bool>>(false);

  std::shared_ptr<ServedModel> model;  // before the slot, which is its
  Ticket ticket;
  Slot slot;
  Times times;
  int batch_size = 0;  // of the call that answered
  absl::Span<const float> logits;

 private:
  void End(const absl::Status& status) {
    if (Done done = std::exchange(done_, nullptr)) done(*this, status);
  }

  Done done_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_TASK_H_
