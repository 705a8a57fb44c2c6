// One version of a model that is served: what it is, its slots, its batcher.

#ifndef GROUPMAMBA_SERVER_SERVED_MODEL_H_
#define GROUPMAMBA_SERVER_SERVED_MODEL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "model/config.h"
#include "model/engine.h"
#include "model/image/transform.h"
#include "server/batching/batcher.h"
#include "server/batching/policy.h"
#include "server/batching/slot_pool.h"
#include "server/metrics.h"

namespace groupmamba {

// Makes one instance of a model; called on the thread that will use it.
using EngineFactory = std::function<absl::StatusOr<std::unique_ptr<Engine>>(
    const ModelFolder& model)>;

struct ServedModelOptions {
  BatchPolicy batch = {};
  int instances = 1;      // at least 1
  int max_waiting = 256;  // as the admission's: bounds the slots
  SlotPool::Allocate allocate_slot = nullptr;
  Duration hang_after = {};  // 0: a batch may take any time
  std::function<void()> on_device_lost = {};
};

// Thread-safe.
class ServedModel {
 public:
  enum class State { kLoading, kReady, kFailed };

  // `clock` must outlive it.
  ServedModel(ModelFolder folder, const ServedModelOptions& options,
              std::shared_ptr<ModelMetrics> metrics, Clock* clock);

  // Loads and warms up all instances; returns when they are ready. Called once.
  // Errors: the factory's; RESOURCE_EXHAUSTED, no memory or no thread to be
  // had.
  absl::Status Load(const EngineFactory& factory);

  State state() const { return state_.load(); }
  const ModelFolder& folder() const { return folder_; }
  const TransformSpec& transform() const { return transform_; }
  int64_t parameters() const { return parameters_; }  // trained numbers
  ModelMetrics& metrics() const { return *metrics_; }
  SlotPool& slots() { return slots_; }
  Batcher& batcher() { return batcher_; }
  const Batcher& batcher() const { return batcher_; }

 private:
  const ModelFolder folder_;
  const TransformSpec transform_;
  const int64_t parameters_;
  const std::shared_ptr<ModelMetrics> metrics_;
  Clock* const clock_;
  std::atomic<State> state_ = State::kLoading;
  SlotPool slots_;
  Batcher batcher_;  // last: its threads use the slots
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_SERVED_MODEL_H_
