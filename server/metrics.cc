#include "server/metrics.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "prometheus/family.h"
#include "prometheus/text_serializer.h"
#include "server/gauges.h"
#include "server/process_metrics.h"

namespace groupmamba {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;
using Labels = std::map<std::string, std::string>;

constexpr const char* kProtocolNames[kProtocolCount] = {"grpc", "v2"};
constexpr const char* kStageNames[kStageCount] = {"decode", "queue", "gather",
                                                  "inference", "reply"};
constexpr const char* kPictureEndNames[kPictureEndCount] = {
    "inferred", "expired", "cancelled", "failed"};
constexpr int kVersionsKept = 8;  // of a model, with label sets of their own

constexpr DispatchReason kDispatchReasons[] = {
    DispatchReason::kFull, DispatchReason::kWait, DispatchReason::kDrain};
constexpr Reason kRefusals[] = {
    Reason::kQueueFull, Reason::kBytesFull,  Reason::kLate,
    Reason::kOverShare, Reason::kDraining,   Reason::kLoading,
    Reason::kNoToken,   Reason::kWrongToken, Reason::kNotAllowed};

// From 0.1 ms to 10 s, densest below 100 ms.
const Buckets& LatencyBuckets() {
  static const auto* buckets =
      new Buckets{0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.006,
                  0.008,  0.01,    0.015,  0.02,  0.03,  0.04,  0.05,  0.075,
                  0.1,    0.15,    0.25,   0.5,   1,     2.5,   5,     10};
  return *buckets;
}

// Of a request's parts, which may take microseconds.
const Buckets& StageBuckets() {
  static const auto* buckets = [] {
    auto* fine = new Buckets{0.00001, 0.000025, 0.00005};
    fine->insert(fine->end(), LatencyBuckets().begin(), LatencyBuckets().end());
    return fine;
  }();
  return *buckets;
}

const Buckets& SizeBuckets() {
  static const auto* buckets =
      new Buckets{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
  return *buckets;
}

template <typename Builder>
auto& Register(Builder builder, prometheus::Registry& registry,
               absl::string_view name, const char* help) {
  return builder.Name(absl::StrCat("groupmamba_", name))
      .Help(help)
      .Register(registry);
}

size_t CodeIndex(absl::StatusCode code) {
  const auto* found =
      std::find(std::begin(kEndCodes), std::end(kEndCodes), code);
  if (found == std::end(kEndCodes)) {
    found = std::find(std::begin(kEndCodes), std::end(kEndCodes),
                      absl::StatusCode::kInternal);
  }
  return static_cast<size_t>(found - std::begin(kEndCodes));
}

std::shared_ptr<Gauges> MakeAdmissionGauges(const Admission* admission) {
  const double capacity = admission->limits().max_waiting;
  return std::make_shared<Gauges>(std::vector<Gauges::Gauge>{
      {"groupmamba_queue_depth", "Requests that are decoded or wait.",
       [=] { return admission->usage().waiting; }},
      {"groupmamba_queue_capacity", "The most that queue_depth can be.",
       [=] { return capacity; }},
      {"groupmamba_queue_bytes", "Bytes of the pictures of open requests.",
       [=] { return static_cast<double>(admission->usage().bytes); }},
      {"groupmamba_inflight_requests", "Requests let in, not answered yet.",
       [=] { return admission->usage().in_flight; }},
  });
}

}  // namespace

struct Metrics::Families {
  using Counters = prometheus::Family<prometheus::Counter>;
  using Gauges = prometheus::Family<prometheus::Gauge>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  explicit Families(prometheus::Registry& r)
      : requests(Register(prometheus::BuildCounter(), r, "requests_total",
                          "Requests that ended, by status code.")),
        started(Register(prometheus::BuildCounter(), r,
                         "requests_started_total", "Requests that came.")),
        done(Register(prometheus::BuildCounter(), r, "requests_done_total",
                      "Requests whose answer has left, or that nobody waits "
                      "for any more.")),
        admitted(Register(prometheus::BuildCounter(), r, "admitted_total",
                          "Pictures that were let in.")),
        outcomes(Register(prometheus::BuildCounter(), r, "admitted_ended_total",
                          "Pictures that were let in and have left, by how.")),
        duration(Register(prometheus::BuildHistogram(), r,
                          "request_duration_seconds",
                          "From a request's arrival to its reply's start, "
                          "whatever the code.")),
        stages(Register(prometheus::BuildHistogram(), r,
                        "stage_duration_seconds",
                        "Where a request's time went.")),
        images(Register(prometheus::BuildCounter(), r, "images_total",
                        "Pictures given to the model.")),
        batches(Register(prometheus::BuildCounter(), r, "batches_total",
                         "Batches given to the model.")),
        batch_size(Register(prometheus::BuildHistogram(), r, "batch_size",
                            "Pictures in a batch.")),
        dispatches(Register(prometheus::BuildCounter(), r,
                            "batch_dispatch_total",
                            "Why batches started: they were full, waiting did "
                            "not pay, or the server drained.")),
        refused(Register(prometheus::BuildCounter(), r, "refused_total",
                         "Requests that were not let in, by reason.")),
        refusal(Register(prometheus::BuildHistogram(), r,
                         "refusal_duration_seconds",
                         "From the arrival of a request that is not let in to "
                         "its refusal.")),
        ready(Register(prometheus::BuildGauge(), r, "model_ready",
                       "1: the model answers.")),
        load_seconds(Register(prometheus::BuildGauge(), r, "model_load_seconds",
                              "How long loading and warming up took.")),
        reload_failures(Register(prometheus::BuildCounter(), r,
                                 "reload_failures_total",
                                 "Models that could not be loaded while the "
                                 "server ran; what was served is served on.")),
        build(Register(prometheus::BuildGauge(), r, "build_info",
                       "Always 1; the labels say which build this is.")) {}

  Counters& requests;
  Counters& started;
  Counters& done;
  Counters& admitted;
  Counters& outcomes;
  Histograms& duration;
  Histograms& stages;
  Counters& images;
  Counters& batches;
  Histograms& batch_size;
  Counters& dispatches;
  Counters& refused;
  Histograms& refusal;
  Gauges& ready;
  Gauges& load_seconds;
  Counters& reload_failures;
  Gauges& build;
};

void ModelMetrics::RequestEnded(Protocol protocol, absl::StatusCode code,
                                Duration total) {
  const auto p = static_cast<size_t>(protocol);
  requests_[p][CodeIndex(code)]->Increment();
  durations_[p]->Observe(ToSeconds(total));
}

void ModelMetrics::Admitted() { admitted_->Increment(); }

void ModelMetrics::AdmittedEnded(PictureEnd end) {
  outcomes_[static_cast<size_t>(end)]->Increment();
}

void ModelMetrics::StageTook(Stage stage, Duration time) {
  stages_[static_cast<size_t>(stage)]->Observe(ToSeconds(time));
}

void ModelMetrics::BatchStarted(int size, DispatchReason reason) {
  images_->Increment(size);
  batches_->Increment();
  batch_size_->Observe(size);
  dispatches_[static_cast<size_t>(reason)]->Increment();
}

void ModelMetrics::Loaded(double seconds) { load_seconds_->Set(seconds); }

void ModelMetrics::SetReady(bool ready) { ready_->Set(ready ? 1 : 0); }

Metrics::Metrics(const Admission* admission)
    : registry_(std::make_shared<prometheus::Registry>()),
      families_(std::make_unique<Families>(*registry_)),
      admission_(MakeAdmissionGauges(admission)),
      process_(MakeProcessMetrics()) {
  unknown_model_ = AddRequestCounters("(unknown)", "0");
  for (size_t p = 0; p < kProtocolCount; ++p) {
    const Labels protocol = {{"protocol", kProtocolNames[p]}};
    started_[p] = &families_->started.Add(protocol);
    done_[p] = &families_->done.Add(protocol);
  }
  for (Reason reason : kRefusals) {
    refused_[static_cast<size_t>(reason)] =
        &families_->refused.Add({{"reason", std::string(ReasonName(reason))}});
  }
  refusal_ = &families_->refusal.Add({}, LatencyBuckets());
  reload_failures_ = &families_->reload_failures.Add({});
  families_->build.Add({{"version", GM_VERSION}, {"compiler", __VERSION__}})
      .Set(1);
}

Metrics::~Metrics() = default;

EndCounters Metrics::AddRequestCounters(const std::string& model,
                                        const std::string& version) {
  EndCounters counters = {};
  for (size_t p = 0; p < kProtocolCount; ++p) {
    for (size_t i = 0; i < std::size(kEndCodes); ++i) {
      counters[p][i] = &families_->requests.Add(
          {{"model", model},
           {"version", version},
           {"protocol", kProtocolNames[p]},
           {"code", absl::StatusCodeToString(kEndCodes[i])}});
    }
  }
  return counters;
}

std::shared_ptr<ModelMetrics> Metrics::AddModel(const std::string& name,
                                                int64_t version) {
  MutexLock lock(&mutex_);
  for (const auto& model : models_) {
    if (model->name_ == name && model->version_ == version) return model;
  }
  models_.push_back(MakeModel(name, version));
  std::shared_ptr<ModelMetrics> added = models_.back();
  ForgetVersionsOf(name);
  return added;
}

void Metrics::ForgetVersionsOf(const std::string& name) {
  auto surplus =
      std::count_if(models_.begin(), models_.end(),
                    [&](const auto& model) { return model->name_ == name; });
  surplus -= kVersionsKept;
  std::erase_if(models_, [&](const auto& model) {
    // Nobody else can get hold of one that only this list has.
    if (surplus <= 0 || model->name_ != name || model.use_count() > 1) {
      return false;
    }
    Forget(*model);
    --surplus;
    return true;
  });
}

void Metrics::Forget(const ModelMetrics& model) {
  const EndCounters earlier = AddRequestCounters(model.name_, "(earlier)");
  for (size_t p = 0; p < kProtocolCount; ++p) {
    for (size_t i = 0; i < std::size(kEndCodes); ++i) {
      earlier[p][i]->Increment(model.requests_[p][i]->Value());
      families_->requests.Remove(model.requests_[p][i]);
    }
  }
  families_->ready.Remove(model.ready_);
  families_->load_seconds.Remove(model.load_seconds_);
}

std::shared_ptr<ModelMetrics> Metrics::MakeModel(const std::string& name,
                                                 int64_t version) {
  auto metrics = std::make_shared<ModelMetrics>();
  metrics->name_ = name;
  metrics->version_ = version;
  const std::string version_text = absl::StrCat(version);
  const Labels model = {{"model", name}};
  const Labels model_version = {{"model", name}, {"version", version_text}};

  metrics->requests_ = AddRequestCounters(name, version_text);
  for (size_t p = 0; p < kProtocolCount; ++p) {
    metrics->durations_[p] = &families_->duration.Add(
        {{"model", name}, {"protocol", kProtocolNames[p]}}, LatencyBuckets());
  }
  for (size_t i = 0; i < kStageCount; ++i) {
    metrics->stages_[i] = &families_->stages.Add(
        {{"model", name}, {"stage", kStageNames[i]}}, StageBuckets());
  }
  metrics->admitted_ = &families_->admitted.Add(model);
  for (size_t i = 0; i < kPictureEndCount; ++i) {
    metrics->outcomes_[i] = &families_->outcomes.Add(
        {{"model", name}, {"outcome", kPictureEndNames[i]}});
  }
  metrics->images_ = &families_->images.Add(model);
  metrics->batches_ = &families_->batches.Add(model);
  metrics->batch_size_ = &families_->batch_size.Add(model, SizeBuckets());
  for (DispatchReason reason : kDispatchReasons) {
    metrics->dispatches_[static_cast<size_t>(reason)] =
        &families_->dispatches.Add(
            {{"model", name}, {"reason", DispatchReasonName(reason)}});
  }
  metrics->ready_ = &families_->ready.Add(model_version);
  metrics->load_seconds_ = &families_->load_seconds.Add(model_version);
  return metrics;
}

void Metrics::ReloadFailed() { reload_failures_->Increment(); }

void Metrics::UnknownModelRequestEnded(Protocol protocol,
                                       absl::StatusCode code) {
  unknown_model_[static_cast<size_t>(protocol)][CodeIndex(code)]->Increment();
}

void Metrics::RequestStarted(Protocol protocol) {
  started_[static_cast<size_t>(protocol)]->Increment();
}

void Metrics::RequestDone(Protocol protocol) {
  done_[static_cast<size_t>(protocol)]->Increment();
}

void Metrics::Refused(Reason reason, Duration after) {
  refused_[static_cast<size_t>(reason)]->Increment();
  refusal_->Observe(ToSeconds(after));
}

void Metrics::NotAllowed(Reason reason) {
  refused_[static_cast<size_t>(reason)]->Increment();
}

void Metrics::Add(std::shared_ptr<prometheus::Collectable> collectable) {
  added_.push_back(std::move(collectable));
}

std::vector<std::shared_ptr<prometheus::Collectable>> Metrics::collectables()
    const {
  std::vector<std::shared_ptr<prometheus::Collectable>> all = {
      registry_, admission_, process_};
  all.insert(all.end(), added_.begin(), added_.end());
  return all;
}

std::string Metrics::Page() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& collectable : collectables()) {
    for (auto& family : collectable->Collect()) families.push_back(family);
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace groupmamba
