#include "server/batch_metrics.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/gauges.h"

namespace groupmamba {
namespace {

using Samples = std::vector<prometheus::ClientMetric>;

prometheus::ClientMetric Sample(const std::string& model, double value) {
  prometheus::ClientMetric sample;
  sample.label = {{"model", model}};
  sample.gauge.value = value;
  return sample;
}

// One sample a model.
std::function<Samples()> EachModel(
    const ModelRepository* models,
    std::function<double(const Batcher&)> value) {
  return [models, value = std::move(value)] {
    Samples samples;
    for (const auto& model : models->models()) {
      samples.push_back(Sample(model->folder().name, value(model->batcher())));
    }
    return samples;
  };
}

Samples BatchTimes(const ModelRepository* models) {
  Samples samples;
  for (const auto& model : models->models()) {
    const Batcher& batcher = model->batcher();
    const int max_batch = batcher.options().policy.max_batch;
    for (int size = 1;; size = std::min(2 * size, max_batch)) {
      samples.push_back(
          Sample(model->folder().name, ToSeconds(batcher.BatchTime(size))));
      samples.back().label.push_back({"size", absl::StrCat(size)});
      if (size == max_batch) break;
    }
  }
  return samples;
}

Samples States(const ModelRepository* models) {
  using State = ServedModel::State;
  constexpr std::pair<State, const char*> kStates[] = {
      {State::kLoading, "loading"},
      {State::kReady, "ready"},
      {State::kFailed, "failed"}};
  Samples samples;
  for (const auto& model : models->models()) {
    for (const auto& [state, name] : kStates) {
      samples.push_back(
          Sample(model->folder().name, model->state() == state ? 1 : 0));
      samples.back().label.push_back(
          {"version", absl::StrCat(model->folder().version)});
      samples.back().label.push_back({"state", name});
    }
  }
  return samples;
}

}  // namespace

std::shared_ptr<prometheus::Collectable> MakeBatchMetrics(
    const ModelRepository* models, int decode_threads) {
  return std::make_shared<Gauges>(
      std::vector<Gauges::Gauge>{{"groupmamba_decode_threads",
                                  "Threads that decode pictures.",
                                  [decode_threads] { return decode_threads; }}},
      std::vector<Gauges::Labelled>{
          {"groupmamba_batch_wait_seconds",
           "How long a free instance waits for company, mean of the latest "
           "batches.",
           EachModel(models,
                     [](const Batcher& b) {
                       return ToSeconds(b.wait_for_company());
                     })},
          {"groupmamba_predicted_wait_seconds",
           "How long a request of normal priority that came now would wait for "
           "the model.",
           EachModel(models,
                     [](const Batcher& b) {
                       return ToSeconds(b.Predict(Priority::kNormal).start);
                     })},
          {"groupmamba_batch_time_seconds",
           "How long a batch of a size keeps an instance busy, as learned.",
           [models] { return BatchTimes(models); }},
          {"groupmamba_model_state",
           "1 for the state that a model is in, 0 for the others.",
           [models] { return States(models); }},
          {"groupmamba_model_instances",
           "Instances of the model, on all devices together.",
           EachModel(models,
                     [](const Batcher& b) { return b.options().instances; })},
          {"groupmamba_batch_max_delay_seconds",
           "The setting max-delay-ms: how long a free instance may wait.",
           EachModel(models,
                     [](const Batcher& b) {
                       return ToSeconds(b.options().policy.max_delay);
                     })},
          {"groupmamba_batch_slo_seconds", "The setting slo-ms; 0: none.",
           EachModel(models, [](const Batcher& b) {
             return ToSeconds(b.options().policy.slo);
           })}});
}

}  // namespace groupmamba
