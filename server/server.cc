#include "server/server.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "server/batch_metrics.h"
#include "server/gauges.h"

namespace groupmamba {
namespace {

// For clients to read what is on its way, once every call of ours is finished.
constexpr Duration kTransportGrace = std::chrono::seconds(1);

// At a drain's end, for batches that run when the others are sent away.
constexpr Duration kLastBatchGrace = std::chrono::seconds(2);

ModelControl::Maker MakerOf(const ServerOptions& options, Metrics* metrics,
                            HealthService* health, Clock* clock) {
  const ServedModelOptions served = {
      .batch = options.batch,
      .instances = options.instances,
      .max_waiting = options.admission.max_waiting,
      .allocate_slot = options.allocate_slot,
      .hang_after = options.hang_after,
      .on_device_lost = [health, tell = options.on_device_lost] {
        Log(LogLevel::kError, "a device is lost");
        health->Drain();
        if (tell) tell();
      }};
  return [served, metrics, clock](ModelFolder folder) {
    auto counts = metrics->AddModel(folder.name, folder.version);
    return std::make_unique<ServedModel>(std::move(folder), served,
                                         std::move(counts), clock);
  };
}

std::vector<std::unique_ptr<ServedModel>> MakeModels(
    std::vector<ModelFolder> folders, const ModelControl::Maker& make) {
  std::vector<std::unique_ptr<ServedModel>> models;
  models.reserve(folders.size());
  for (ModelFolder& folder : folders) models.push_back(make(std::move(folder)));
  return models;
}

v2::ServingLimits LimitsOf(const ServerOptions& options) {
  return {.max_batch = options.batch.max_batch,
          .max_waiting = options.admission.max_waiting,
          .default_deadline = options.pipeline.default_deadline};
}

Proof ProofOf(const SecretsOptions& secrets) {
  if (!secrets.tokens.empty()) return Proof::kToken;
  return secrets.tls.client_authorities.empty() ? Proof::kNone
                                                : Proof::kCertificate;
}

// The names that stand for the whole server.
std::vector<std::string> ServerNames() {
  return {"", v1::Classifier::service_full_name(),
          inference::GRPCInferenceService::service_full_name()};
}

std::vector<std::string> HealthNames(const std::vector<ModelFolder>& models) {
  std::vector<std::string> names = ServerNames();
  for (const ModelFolder& model : models) names.push_back(model.name);
  return names;
}

// Null: pictures are decoded in this process.
absl::StatusOr<std::unique_ptr<DecoderPool>> StartDecoders(
    const ServerOptions& options, Clock* clock) {
  if (options.decoder_program.empty()) return nullptr;
  return DecoderPool::Start(
      {.program = options.decoder_program,
       .limits = options.pipeline.decode,
       .jpeg_oversampling = options.pipeline.jpeg_oversampling,
       .max_in_bytes = options.transport.limits.max_message_bytes},
      options.pipeline.decode_threads, clock);
}

PipelineOptions WithDecoders(PipelineOptions options, DecoderPool* decoders) {
  if (decoders != nullptr) {
    options.prepare = [decoders](const Picture& picture,
                                 const TransformSpec& spec,
                                 absl::Span<uint8_t> out) {
      return decoders->Prepare(picture, spec, out);
    };
  }
  return options;
}

// There at zero without decoders, too.
std::shared_ptr<prometheus::Collectable> MakeDecoderMetrics(
    const DecoderPool* decoders) {
  return std::make_shared<Gauges>(std::vector<Gauges::Gauge>{
      {"groupmamba_decoder_restarts_total",
       "Decoder processes that were started in place of one that crashed or "
       "hung.",
       [decoders] {
         return decoders == nullptr ? 0.0
                                    : static_cast<double>(decoders->restarts());
       },
       true}});
}

}  // namespace

Server::Server(const ServerOptions& options, RecordFiles files,
               std::vector<ModelFolder> models,
               std::unique_ptr<DecoderPool> decoders, Clock* clock)
    : clock_(clock),
      admission_(options.admission),
      metrics_(&admission_),
      records_(options.records, std::move(files), &metrics_, clock),
      streams_(clock),
      health_(HealthNames(models)),
      models_(MakeModels(std::move(models),
                         MakerOf(options, &metrics_, &health_, clock)),
              options.default_model),
      decoders_(std::move(decoders)),
      pipeline_(WithDecoders(options.pipeline, decoders_.get()), &models_,
                &admission_, &metrics_, clock),
      control_(
          options.control, &models_, &metrics_,
          MakerOf(options, &metrics_, &health_, clock),
          [this](const std::string& name, bool serving) {
            health_.Set(name, serving);
          },
          clock),
      classify_(&pipeline_, &models_, &records_, &streams_,
                ProofOf(options.transport.secrets), clock),
      v2_(&pipeline_, &models_, &metrics_, &health_, &records_, &streams_,
          &statistics_, /*control=*/nullptr, LimitsOf(options),
          ProofOf(options.transport.secrets), clock),
      admin_v2_(&pipeline_, &models_, &metrics_, &health_, &records_, &streams_,
                &statistics_, &control_, LimitsOf(options),
                ProofOf(options.transport.secrets), clock) {
  metrics_.Add(records_.DropMetrics());
  metrics_.Add(MakeBatchMetrics(&models_, options.pipeline.decode_threads));
  metrics_.Add(MakeDecoderMetrics(decoders_.get()));
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, std::vector<ModelFolder> models,
    Clock* clock) {
  GM_ASSIGN_OR_RETURN(RecordFiles files, OpenRecordFiles(options.records));
  GM_ASSIGN_OR_RETURN(auto decoders, StartDecoders(options, clock));
  std::unique_ptr<Server> server(new Server(options, std::move(files),
                                            std::move(models),
                                            std::move(decoders), clock));
  GM_ASSIGN_OR_RETURN(
      server->transport_,
      Transport::Create(options.transport, &server->metrics_, clock));
  GM_ASSIGN_OR_RETURN(
      server->metrics_page_,
      MetricsPage::Start(options.metrics_listen, server->metrics_));
  // An operator can try on the admin port what the public one answers.
  GM_RETURN_IF_ERROR(server->transport_->Listen(
      {.open = {&server->classify_, &server->v2_, &server->health_},
       .admin = {&server->classify_, &server->admin_v2_, &server->health_},
       .health = {&server->health_}}));
  return server;
}

absl::Status Server::Load(const EngineFactory& factory) {
  for (const auto& model : models_.models()) {
    GM_RETURN_IF_ERROR(model->Load(factory));
    model->metrics().SetReady(true);
    health_.Set(model->folder().name, true);
  }
  for (const std::string& name : ServerNames()) health_.Set(name, true);
  control_.Start(factory);
  return absl::OkStatus();
}

bool Server::Drain(const DrainTimes& times) {
  const TimePoint start = clock_->Now();
  const TimePoint end = start + times.grace;
  const TimePoint give_up = end - std::min(kTransportGrace, times.grace / 8);
  const TimePoint abort = give_up - std::min(kLastBatchGrace, times.grace / 4);
  health_.Drain();
  control_.Stop();
  for (const auto& model : models_.models()) model->metrics().SetReady(false);
  if (times.linger > Duration::zero()) {
    Linger(std::min(start + times.linger, abort));
  }
  Close();
  Log(LogLevel::kInfo, "draining",
      {{"in_flight", admission_.usage().in_flight}});
  bool idle = pipeline_.AwaitIdle(abort);
  if (!idle) {
    pipeline_.Abort();
    idle = pipeline_.AwaitIdle(give_up);
  }
  if (idle) {
    streams_.AwaitNone(std::min(give_up, clock_->Now() + kTransportGrace));
    return true;
  }
  pipeline_.GiveUp();
  // Who is still inside is being decoded, which is bounded, or lost. gRPC waits
  // for calls that are not finished, however long.
  if (pipeline_.AwaitIdle(end)) EndTransport();
  return false;
}

void Server::Linger(TimePoint until) {
  Log(LogLevel::kInfo, "lingering",
      {{"seconds", ToSeconds(until - clock_->Now())}});
  MutexLock lock(&mutex_);
  while (!hasten_ && clock_->Now() < until) {
    clock_->WaitUntil(&hastened_, &mutex_, until);
  }
}

void Server::HastenDrain() {
  {
    MutexLock lock(&mutex_);
    hasten_ = true;
    hastened_.NotifyAll();
  }
  pipeline_.Abort();
}

void Server::Close() {
  pipeline_.Close();
  streams_.EndAll();
}

void Server::EndTransport() {
  health_.Drain();
  health_.EndWatches();
  transport_->Shutdown(kTransportGrace);
}

Server::~Server() {
  control_.Stop();
  if (transport_ != nullptr) {
    Close();
    pipeline_.Abort();
    EndTransport();
  }
}

}  // namespace groupmamba
