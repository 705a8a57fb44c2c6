#include "server/pipeline.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "base/status_macros.h"
#include "server/picture.h"
#include "server/status_map.h"

namespace groupmamba {
namespace {

constexpr uint32_t kDefaultTopK = 5;

// Bounds of what a refused client is told to wait.
constexpr Duration kShortestPause = std::chrono::milliseconds(10);
constexpr Duration kLongestPause = std::chrono::seconds(5);

bool Happened(TimePoint time) { return time != TimePoint{}; }

// What each stage took, as far as the task came.
void CountStages(const Task::Times& times, TimePoint now,
                 ModelMetrics* metrics) {
  if (!Happened(times.decoded)) return;
  metrics->StageTook(Stage::kDecode, times.decoded - times.arrived);
  if (!Happened(times.inferred)) return;
  metrics->StageTook(Stage::kQueue, times.launched - times.queued);
  metrics->StageTook(Stage::kGather, times.inference_from - times.launched);
  metrics->StageTook(Stage::kInference, times.inferred - times.inference_from);
  metrics->StageTook(Stage::kReply, now - times.inferred);
}

PictureEnd PictureEndOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return PictureEnd::kInferred;
    case absl::StatusCode::kDeadlineExceeded:
      return PictureEnd::kExpired;
    case absl::StatusCode::kCancelled:
      return PictureEnd::kCancelled;
    default:
      return PictureEnd::kFailed;
  }
}

}  // namespace

Pipeline::Pipeline(const PipelineOptions& options,
                   const ModelRepository* models, Admission* admission,
                   Metrics* metrics, Clock* clock)
    : options_(options),
      models_(models),
      admission_(admission),
      metrics_(metrics),
      clock_(clock),
      watch_([this] { return Expire(); }, clock),
      decoders_(
          options.decode_threads, clock,
          [this](std::unique_ptr<Task> task) { Decode(std::move(task)); }) {}

Pipeline::~Pipeline() {
  Close();
  AwaitIdle(kForever);
  watch_.Stop();
}

// 1. The request finds its model and becomes a task; what cannot be answered is
//    refused at once.
Pipeline::Handle Pipeline::Submit(const ClassifyInput& input, Reply reply) {
  const TimePoint now = clock_->Now();
  const absl::StatusOr<std::shared_ptr<ServedModel>> model = ModelFor(input);
  if (!model.ok()) {
    if (input.is_request) {
      metrics_->UnknownModelRequestEnded(Protocol::kGrpc,
                                         model.status().code());
    }
    reply(model.status());
    return {};
  }
  auto task = std::make_unique<Task>(
      MakeKey(input, now), input.picture,
      [this, top_k = input.top_k, is_request = input.is_request,
       reply = std::move(reply)](const Task& ended,
                                 const absl::Status& status) {
        End(ended, top_k, is_request, status, reply);
      });
  task->model = *model;
  task->times.arrived = now;
  Handle handle{task->cancelled, task->key, task->model};
  if (absl::Status refused = Admit(input.client, task.get()); !refused.ok()) {
    Task::Finish(std::move(task), refused);
    return {};
  }
  task->model->metrics().Admitted();
  task->model->batcher().Expect(handle.key.priority);
  // What needs no decoding saves its way through another thread.
  if (IsReady(task->picture, task->model->transform())) {
    Decode(std::move(task));
    return handle;
  }
  decoders_.Push(std::move(task));
  watch_.Note(handle.key.deadline);
  return handle;
}

absl::StatusOr<std::shared_ptr<ServedModel>> Pipeline::ModelFor(
    const ClassifyInput& input) const {
  if (input.served != nullptr) return input.served;
  return models_->Find(input.model, input.version);
}

QueueKey Pipeline::MakeKey(const ClassifyInput& input, TimePoint now) {
  const TimePoint wanted = input.deadline == kForever
                               ? now + options_.default_deadline
                               : input.deadline;
  return {.priority = input.priority,
          .deadline = std::min(wanted, now + options_.max_deadline),
          .sequence = next_sequence_++};
}

absl::Status Pipeline::Admit(uint64_t client, Task* task) {
  if (task->model->state() != ServedModel::State::kReady) {
    metrics_->Refused(Reason::kLoading, clock_->Now() - task->times.arrived);
    return Error(Reason::kLoading);
  }
  GM_RETURN_IF_ERROR(task->Alive(task->times.arrived));
  GM_RETURN_IF_ERROR(CheckPicture(task->picture, options_.decode));
  return Enter(client, task);
}

absl::Status Pipeline::Enter(uint64_t client, Task* task) {
  const TimePoint arrived = task->times.arrived;
  const Prediction model = task->model->batcher().Predict(task->key.priority);
  const Duration decode = IsReady(task->picture, task->model->transform())
                              ? Duration::zero()
                              : decoders_.PredictWait();
  const Duration wait = std::max(model.start, decode);
  Applicant applicant = {
      .bytes = static_cast<int64_t>(task->picture.bytes.size()),
      .client = client,
      .time_left = task->key.deadline - arrived,
      .per_picture = model.per_picture};
  // An idle server tries everything: its estimates may be wrong, and only
  // trying can tell.
  if (!model.idle || decode > Duration::zero()) {
    applicant.predicted = std::chrono::duration_cast<Duration>(
        (wait + model.finish - model.start) * model.caution);
  }
  auto admitted = admission_->Enter(applicant);
  if (auto* ticket = std::get_if<Ticket>(&admitted)) {
    task->ticket = std::move(*ticket);
    return absl::OkStatus();
  }
  const Reason reason = std::get<Reason>(admitted);
  metrics_->Refused(reason, clock_->Now() - arrived);
  if (reason == Reason::kDraining) return Error(reason);
  // When it would be in time; or when a quarter of the queue has gone, so that
  // who is refused does not come back at once.
  const Duration late_by = applicant.predicted - applicant.time_left;
  return Refusal(reason, std::clamp(std::max(late_by, wait / 4), kShortestPause,
                                    kLongestPause));
}

// 2. On a decoding thread, or at once for pixels that need no more than a copy:
//    the picture goes into a slot, the task to the batcher.
void Pipeline::Decode(std::unique_ptr<Task> task) {
  if (absl::Status status = DecodeIntoSlot(task.get()); !status.ok()) {
    EndUndecoded(std::move(task), status);
    return;
  }
  const TimePoint deadline = task->key.deadline;
  Batcher& batcher = task->model->batcher();
  batcher.Enqueue(std::move(task));
  watch_.Note(deadline);
}

void Pipeline::EndUndecoded(std::unique_ptr<Task> task,
                            const absl::Status& status) {
  task->model->batcher().Unexpect(task->key.priority);
  Task::Finish(std::move(task), status);
}

absl::Status Pipeline::DecodeIntoSlot(Task* task) {
  if (aborted_) return Error(Reason::kDraining);
  GM_RETURN_IF_ERROR(task->Alive(clock_->Now()));
  task->slot = task->model->slots().Acquire();
  if (!task->slot) return Error(Reason::kQueueFull);
  const TransformSpec& spec = task->model->transform();
  const absl::Span<uint8_t> out = task->slot.bytes();
  const absl::Status status =
      options_.prepare != nullptr
          ? options_.prepare(task->picture, spec, out)
          : PreparePicture(task->picture, options_.decode,
                           options_.jpeg_oversampling, spec, out);
  task->times.decoded = clock_->Now();
  return status;
}

// 3. The batcher waits, forms a batch when an instance is free, and runs the
// model:
//    server/batching/batcher.cc. Whatever happens, it ends here, once:
void Pipeline::End(const Task& task, uint32_t top_k, bool is_request,
                   const absl::Status& status, const Reply& reply) {
  absl::StatusOr<Answer> answer =
      status.ok() ? MakeAnswer(task, top_k) : ForClient(status);
  const TimePoint now = clock_->Now();
  const Duration total = now - task.times.arrived;
  if (answer.ok()) answer->receipt.total = total;

  // Counted before the reply, so that who has the reply finds it counted.
  ModelMetrics& metrics = task.model->metrics();
  CountStages(task.times, now, &metrics);
  if (task.ticket) metrics.AdmittedEnded(PictureEndOf(answer.status().code()));
  if (is_request) {
    metrics.RequestEnded(Protocol::kGrpc, answer.status().code(), total);
  }
  reply(std::move(answer));
}

absl::StatusOr<Answer> Pipeline::MakeAnswer(const Task& task,
                                            uint32_t top_k) const {
  const Task::Times& t = task.times;
  Answer answer;
  answer.model = task.model;
  const uint32_t k = std::min<uint32_t>(top_k == 0 ? kDefaultTopK : top_k,
                                        std::numeric_limits<int>::max());
  GM_ASSIGN_OR_RETURN(answer.top, TopK(task.logits, static_cast<int>(k)));
  answer.receipt = {.decode = t.decoded - t.arrived,
                    .queue = t.launched - t.queued,
                    .batch_wait = t.launched - std::max(t.queued, t.free),
                    .inference = t.inferred - t.inference_from,
                    .batch_size = task.batch_size};
  return answer;
}

void Pipeline::Cancel(const Handle& handle) {
  if (handle.model == nullptr) return;
  handle.cancelled->store(true);
  // In the order in which it goes, so that it cannot slip by; between the two
  // it finds out by itself.
  if (std::unique_ptr<Task> task = decoders_.Remove(handle.key)) {
    const absl::Status status = task->Alive(clock_->Now());
    EndUndecoded(std::move(task), status);
    return;
  }
  handle.model->batcher().Cancel(handle.key);
}

TimePoint Pipeline::Expire() {
  for (auto& task : decoders_.TakeExpired()) {
    EndUndecoded(std::move(task), Error(Reason::kExpired));
  }
  TimePoint next = decoders_.EarliestDeadline();
  for (const auto& model : models_->living()) {
    next = std::min(next, model->batcher().Expire());
  }
  return next;
}

void Pipeline::Close() {
  admission_->Close();
  for (const auto& model : models_->living()) model->batcher().Drain();
}

bool Pipeline::AwaitIdle(TimePoint until) {
  return admission_->AwaitEmpty(clock_, until);
}

void Pipeline::Abort() {
  aborted_ = true;
  for (const auto& model : models_->living()) model->batcher().Abort();
}

void Pipeline::GiveUp() {
  for (const auto& model : models_->living()) model->batcher().GiveUp();
}

}  // namespace groupmamba
