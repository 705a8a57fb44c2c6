#include "server/served_model.h"

#include <cstddef>
#include <utility>

#include "base/log.h"
#include "model/manifest.h"
#include "server/picture.h"

namespace groupmamba {
namespace {

size_t PictureBytes(const InputConfig& input) {
  return size_t{3} * input.crop * input.crop;
}

BatcherOptions ForBatcher(const ModelConfig& config,
                          const ServedModelOptions& options,
                          const std::shared_ptr<ModelMetrics>& metrics) {
  return {.policy = options.batch,
          .instances = options.instances,
          .classes = config.classes,
          .picture_bytes = PictureBytes(config.input),
          .on_batch =
              [metrics](const BatchReport& batch) {
                metrics->BatchStarted(batch.size, batch.reason);
              },
          .hang_after = options.hang_after,
          .on_device_lost = options.on_device_lost};
}

}  // namespace

ServedModel::ServedModel(ModelFolder folder, const ServedModelOptions& options,
                         std::shared_ptr<ModelMetrics> metrics, Clock* clock)
    : folder_(std::move(folder)),
      transform_(TransformFor(folder_.config.input)),
      parameters_(CountParameters(folder_.config)),
      metrics_(std::move(metrics)),
      clock_(clock),
      slots_(PictureBytes(folder_.config.input),
             options.max_waiting + options.instances * options.batch.max_batch,
             options.allocate_slot),
      batcher_(ForBatcher(folder_.config, options, metrics_), clock) {}

absl::Status ServedModel::Load(const EngineFactory& factory) {
  const TimePoint start = clock_->Now();
  const absl::Status status = batcher_.Start([&] { return factory(folder_); });
  if (!status.ok()) {
    state_ = State::kFailed;
    return status;
  }
  const double seconds = ToSeconds(clock_->Now() - start);
  metrics_->Loaded(seconds);
  state_ = State::kReady;
  Log(LogLevel::kInfo, "model ready",
      {{"model", folder_.name},
       {"version", folder_.version},
       {"device", batcher_.device()},
       {"precision", batcher_.precision()},
       {"seconds", seconds}});
  return absl::OkStatus();
}

}  // namespace groupmamba
