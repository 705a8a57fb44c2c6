// One V2 request on its way: its pictures go down the pipeline side by side and
// are joined to one response.

#ifndef GROUPMAMBA_SERVER_V2_INFER_CALL_H_
#define GROUPMAMBA_SERVER_V2_INFER_CALL_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "proto/inference/grpc_service.pb.h"
#include "server/metrics.h"
#include "server/model_repository.h"
#include "server/pipeline.h"
#include "server/v2/infer_request.h"
#include "server/v2/model_view.h"
#include "server/v2/statistics.h"

namespace groupmamba::v2 {

// What all calls share; must outlive them.
struct InferContext {
  Pipeline* pipeline = nullptr;
  const ModelRepository* models = nullptr;
  Metrics* metrics = nullptr;
  Statistics* statistics = nullptr;
  const Clock* clock = nullptr;
  int max_batch = 8;  // pictures in a request at most
};

// Of whom a request comes.
struct Caller {
  TimePoint deadline = kForever;  // the call's; kForever: none
  uint64_t client = 0;            // server/client_id.h
};

// Thread-safe.
class InferCall : public std::enable_shared_from_this<InferCall> {
 public:
  // Called once, on any thread, maybe before Start returns. Fit for the client.
  using Done = std::function<void(const absl::Status&)>;

  // `request` and `response` must live until `done`. The request's own timeout
  // can only shorten the caller's deadline. With an OK status the response is
  // filled; it holds the request's id either way. The first picture
  // that fails is the request's status, and the others are cancelled.
  static std::shared_ptr<InferCall> Start(
      const InferContext& context, const inference::ModelInferRequest& request,
      const Caller& caller, inference::ModelInferResponse* response, Done done);

  // The client went away.
  void Cancel();

 private:
  InferCall(const InferContext& context,
            inference::ModelInferResponse* response, Done done);

  absl::Status Read(const inference::ModelInferRequest& message);
  void Submit(const Caller& caller);
  void PictureEnded(size_t index, absl::StatusOr<Answer> answer);
  void End(const absl::Status& status);

  const InferContext& context_;
  inference::ModelInferResponse* const response_;
  const Done done_;
  const TimePoint arrived_;

  // Set before the first picture is submitted.
  ModelView view_;
  InferRequest request_;

  Mutex mutex_;
  std::vector<Pipeline::Handle> handles_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;  // no picture is wanted more
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  size_t left_ ABSL_GUARDED_BY(mutex_) = 0;  // pictures not ended yet

  // A picture's is written when it ends, all are read after the last one.
  std::vector<Answer> answers_;
  size_t last_ = 0;  // which ended last
};

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_SERVER_V2_INFER_CALL_H_
