// The life of a request, in order: find its model, refuse or admit it, decode
// its picture, batch it, run the model, rank the classes, reply. The other
// files of this folder are this one's nouns.

#ifndef GROUPMAMBA_SERVER_PIPELINE_H_
#define GROUPMAMBA_SERVER_PIPELINE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "model/image/decode.h"
#include "model/image/transform.h"
#include "server/admission.h"
#include "server/deadline_watch.h"
#include "server/decode_pool.h"
#include "server/metrics.h"
#include "server/model_repository.h"
#include "server/receipt.h"
#include "server/served_model.h"
#include "server/task.h"
#include "server/top_k.h"

namespace groupmamba {

// Does what PreparePicture does. Thread-safe; called on decoding threads and
// for what needs no more than a copy, on any.
using Preparation = std::function<absl::Status(
    const Picture&, const TransformSpec&, absl::Span<uint8_t>)>;

struct PipelineOptions {
  DecodeLimits decode = {};
  int decode_threads = 1;
  int jpeg_oversampling = 0;      // PreparePicture's
  Preparation prepare = nullptr;  // null: PreparePicture, in this process
  Duration default_deadline = std::chrono::seconds(10);
  Duration max_deadline = std::chrono::seconds(60);
};

// One request to classify one picture. The bytes that it points to must live
// until the reply.
struct ClassifyInput {
  absl::string_view model = {};  // empty: the default
  int64_t version = 0;           // 0: the one that is served

  // Found already; not null: it answers, whatever the two above say.
  std::shared_ptr<ServedModel> served = nullptr;

  Picture picture = {};
  uint32_t top_k = 0;  // 0: 5
  Priority priority = Priority::kNormal;
  TimePoint deadline = kForever;  // kForever: the server's default
  uint64_t client = 0;            // whose fair share; server/client_id.h

  // False: one of several pictures of a request that its service counts in the
  // metrics of requests.
  bool is_request = true;
};

struct Answer {
  std::shared_ptr<const ServedModel> model;
  std::vector<ScoredClass> top;
  Receipt receipt;
};

// Thread-safe.
class Pipeline {
 public:
  // Called once for each request, on any thread, maybe before Submit returns.
  // Error texts are fit for the client. Must not block.
  using Reply = std::function<void(absl::StatusOr<Answer>)>;

  // What Cancel needs to find a request again.
  struct Handle {
    std::shared_ptr<std::atomic<bool>> cancelled;
    QueueKey key;
    std::shared_ptr<ServedModel> model;  // null: was answered in Submit
  };

  // The pointers must outlive the pipeline.
  Pipeline(const PipelineOptions& options, const ModelRepository* models,
           Admission* admission, Metrics* metrics, Clock* clock);
  ~Pipeline();

  Handle Submit(const ClassifyInput& input, Reply reply);

  // The client went away: it is answered at once, unless it is being decoded or
  // its batch runs, and nothing more is computed for it.
  void Cancel(const Handle& handle);

  // Shutting down, in this order. Close: from now on requests get UNAVAILABLE,
  // and those inside no longer wait for company. AwaitIdle: true once nobody is
  // inside, false at `until`. Abort: those who still wait get UNAVAILABLE.
  // GiveUp: those in the model do, too; for models that hang.
  void Close();
  bool AwaitIdle(TimePoint until);
  void Abort();
  void GiveUp();

 private:
  QueueKey MakeKey(const ClassifyInput& input, TimePoint now);
  absl::StatusOr<std::shared_ptr<ServedModel>> ModelFor(
      const ClassifyInput& input) const;
  absl::Status Admit(uint64_t client, Task* task);
  absl::Status Enter(uint64_t client, Task* task);
  void Decode(std::unique_ptr<Task> task);
  absl::Status DecodeIntoSlot(Task* task);
  void EndUndecoded(std::unique_ptr<Task> task, const absl::Status& status);
  TimePoint Expire();
  void End(const Task& task, uint32_t top_k, bool is_request,
           const absl::Status& status, const Reply& reply);
  absl::StatusOr<Answer> MakeAnswer(const Task& task, uint32_t top_k) const;

  const PipelineOptions options_;
  const ModelRepository* const models_;
  Admission* const admission_;
  Metrics* const metrics_;
  Clock* const clock_;

  std::atomic<uint64_t> next_sequence_ = 0;
  std::atomic<bool> aborted_ = false;
  DeadlineWatch watch_;
  DecodePool decoders_;  // last: its threads use everything above
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_PIPELINE_H_
