// The server's Prometheus metrics: names, labels, buckets, all in one place.
// Every set of labels is there at zero from the start, and labels come from
// closed sets: never from a client's text.

#ifndef GROUPMAMBA_SERVER_METRICS_H_
#define GROUPMAMBA_SERVER_METRICS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/admission.h"
#include "server/batching/policy.h"
#include "server/status_map.h"

namespace groupmamba {

// The values of the label `protocol`.
enum class Protocol {
  kGrpc,  // groupmamba.v1
  kV2,    // inference
};
inline constexpr int kProtocolCount = 2;

// The values of the label `stage`.
enum class Stage {
  kDecode,     // waiting for a decoding thread, decoding, resizing
  kQueue,      // waiting for an instance of the model
  kGather,     // listing the batch; the engine normalises as part of inference
  kInference,  // the batch in the model
  kReply,      // from the model's answer to the reply's start
};
inline constexpr int kStageCount = 5;

// Codes that a request of ours can end with, in the label `code`.
inline constexpr absl::StatusCode kEndCodes[] = {
    absl::StatusCode::kOk,
    absl::StatusCode::kCancelled,
    absl::StatusCode::kInvalidArgument,
    absl::StatusCode::kDeadlineExceeded,
    absl::StatusCode::kNotFound,
    absl::StatusCode::kResourceExhausted,
    absl::StatusCode::kInternal,
    absl::StatusCode::kUnavailable,
};
// How a picture that was let in has left, in the label `outcome`. Each is let
// in once and leaves once.
enum class PictureEnd {
  kInferred,
  kExpired,
  kCancelled,
  kFailed,  // anything else: no picture, the model failed, draining
};
inline constexpr int kPictureEndCount = 4;

using EndCounters =
    std::array<std::array<prometheus::Counter*, std::size(kEndCodes)>,
               kProtocolCount>;

// What is counted for one version of a model. Thread-safe.
class ModelMetrics {
 public:
  void RequestEnded(Protocol protocol, absl::StatusCode code, Duration total);
  void Admitted();
  void AdmittedEnded(PictureEnd end);
  void StageTook(Stage stage, Duration time);
  void BatchStarted(int size, DispatchReason reason);
  void Loaded(double seconds);
  void SetReady(bool ready);

 private:
  friend class Metrics;
  std::string name_;
  int64_t version_ = 0;
  EndCounters requests_ = {};
  std::array<prometheus::Histogram*, kProtocolCount> durations_ = {};
  std::array<prometheus::Histogram*, kStageCount> stages_ = {};
  prometheus::Counter* admitted_ = nullptr;
  std::array<prometheus::Counter*, kPictureEndCount> outcomes_ = {};
  prometheus::Counter* images_ = nullptr;
  prometheus::Counter* batches_ = nullptr;
  prometheus::Histogram* batch_size_ = nullptr;
  std::array<prometheus::Counter*, 3> dispatches_ = {};  // by DispatchReason
  prometheus::Gauge* ready_ = nullptr;
  prometheus::Gauge* load_seconds_ = nullptr;
};

// Thread-safe.
class Metrics {
 public:
  // Shows `admission` as it is whenever the page is read; it must outlive this.
  explicit Metrics(const Admission* admission);
  ~Metrics();

  // The same counters for the same model and version. Of each name the latest
  // eight versions, and those that are in use, have label sets of their own;
  // what was counted for earlier ones goes on as version "(earlier)", so that
  // sums stay whole. The result must not outlive this.
  std::shared_ptr<ModelMetrics> AddModel(const std::string& name,
                                         int64_t version);

  // A model that should have been loaded or loaded anew could not be.
  void ReloadFailed();

  // A request that named no model of ours; counted under the model "(unknown)".
  void UnknownModelRequestEnded(Protocol protocol, absl::StatusCode code);

  // A request has come, and its transport has let go of it. On an idle server
  // both equal the requests that ended with some code.
  void RequestStarted(Protocol protocol);
  void RequestDone(Protocol protocol);

  // `reason`: kQueueFull, kBytesFull, kLate, kOverShare, kDraining or kLoading.
  // `after`: since the request's arrival.
  void Refused(Reason reason, Duration after);

  // A call that was refused by its headers: kNoToken, kWrongToken or
  // kNotAllowed.
  void NotAllowed(Reason reason);

  // Adds to what the page shows; before serving.
  void Add(std::shared_ptr<prometheus::Collectable> collectable);

  // Everything that the page shows; what the HTTP listener serves.
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables() const;

  // The page as text, for tests.
  std::string Page() const;

 private:
  EndCounters AddRequestCounters(const std::string& model,
                                 const std::string& version);
  std::shared_ptr<ModelMetrics> MakeModel(const std::string& name,
                                          int64_t version);
  void ForgetVersionsOf(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(const ModelMetrics& model);

  struct Families;
  const std::shared_ptr<prometheus::Registry> registry_;
  const std::unique_ptr<Families> families_;
  const std::shared_ptr<prometheus::Collectable> admission_;
  const std::shared_ptr<prometheus::Collectable> process_;
  std::vector<std::shared_ptr<prometheus::Collectable>> added_;
  std::array<prometheus::Counter*, kProtocolCount> started_ = {};
  std::array<prometheus::Counter*, kProtocolCount> done_ = {};
  EndCounters unknown_model_ = {};
  std::array<prometheus::Counter*, kReasonCount> refused_ = {};
  prometheus::Histogram* refusal_ = nullptr;
  prometheus::Counter* reload_failures_ = nullptr;

  Mutex mutex_;
  std::vector<std::shared_ptr<ModelMetrics>> models_
      ABSL_GUARDED_BY(mutex_);  // in the order in which they came
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_METRICS_H_
