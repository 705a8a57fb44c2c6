#include "server/batching/batcher.h"

#include <algorithm>
#include <utility>

#include "absl/types/span.h"
#include "base/status_macros.h"
#include "server/batching/run_batch.h"

namespace groupmamba {

Batcher::Batcher(BatcherOptions options, Clock* clock)
    : options_(std::move(options)), clock_(clock) {}

Batcher::~Batcher() {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status Batcher::Start(const EngineFactory& factory) {
  for (int i = 0; i < options_.instances; ++i) {
    threads_.emplace_back([this, &factory] { RunInstance(factory); });
    MutexLock lock(&mutex_);
    while (loaded_ == i && load_status_.ok()) changed_.Wait(&mutex_);
    GM_RETURN_IF_ERROR(load_status_);
  }
  return absl::OkStatus();
}

std::string Batcher::device() const {
  MutexLock lock(&mutex_);
  return device_;
}

std::string Batcher::precision() const {
  MutexLock lock(&mutex_);
  return precision_;
}

int Batcher::waiting() const {
  MutexLock lock(&mutex_);
  return queue_.size();
}

void Batcher::Expect() {
  MutexLock lock(&mutex_);
  ++expected_;
}

void Batcher::Unexpect() {
  MutexLock lock(&mutex_);
  --expected_;
  changed_.NotifyAll();
}

void Batcher::Enqueue(std::unique_ptr<Task> task) {
  absl::Status dead;
  {
    MutexLock lock(&mutex_);
    --expected_;
    changed_.NotifyAll();
    const TimePoint now = clock_->Now();
    dead = aborted_ ? Error(Reason::kDraining) : task->Alive(now);
    if (dead.ok()) {
      task->times.queued = now;
      queue_.Push(std::move(task));
      return;
    }
  }
  Task::Finish(std::move(task), dead);
}

void Batcher::Cancel(const QueueKey& key) {
  std::unique_ptr<Task> task;
  {
    MutexLock lock(&mutex_);
    task = queue_.Remove(key);
  }
  if (task == nullptr) return;
  task->cancelled->store(true);
  const absl::Status status = task->Alive(clock_->Now());
  Task::Finish(std::move(task), status);
}

void Batcher::Drain() {
  MutexLock lock(&mutex_);
  draining_ = true;
  changed_.NotifyAll();
}

void Batcher::Abort() {
  std::vector<std::unique_ptr<Task>> waiting;
  {
    MutexLock lock(&mutex_);
    aborted_ = true;
    waiting = queue_.Take(queue_.size());
    changed_.NotifyAll();
  }
  for (auto& task : waiting) {
    Task::Finish(std::move(task), Error(Reason::kDraining));
  }
}

void Batcher::RunInstance(const EngineFactory& factory) {
  absl::StatusOr<std::unique_ptr<Engine>> engine = LoadAndWarmUp(factory);
  {
    MutexLock lock(&mutex_);
    changed_.NotifyAll();
    if (!engine.ok()) {
      load_status_ = engine.status();
      return;
    }
    ++loaded_;
    device_ = (*engine)->device();
    precision_ = (*engine)->precision();
  }
  while (true) {
    Batch batch = NextBatch();
    if (batch.tasks.empty()) return;
    RunBatch(engine->get(), std::move(batch));
  }
}

absl::StatusOr<std::unique_ptr<Engine>> Batcher::LoadAndWarmUp(
    const EngineFactory& factory) const {
  GM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, factory());
  const std::vector<uint8_t> gray(options_.picture_bytes, 128);
  for (int size : {1, options_.policy.max_batch}) {
    const std::vector<const uint8_t*> pictures(size, gray.data());
    std::vector<float> logits(static_cast<size_t>(size) * options_.classes);
    GM_RETURN_IF_ERROR(engine->Infer(pictures, absl::MakeSpan(logits)));
  }
  return engine;
}

Batcher::Batch Batcher::NextBatch() {
  const TimePoint free = clock_->Now();
  while (true) {
    std::vector<std::unique_ptr<Task>> expired;
    {
      MutexLock lock(&mutex_);
      const TimePoint now = clock_->Now();
      expired = queue_.TakeExpired(now);
      if (expired.empty()) {
        QueueView view{.waiting = queue_.size(),
                       .expected = expected_,
                       .draining = draining_};
        // The policy needs the oldest of a short queue only.
        if (view.waiting < options_.policy.max_batch) {
          view.oldest = queue_.OldestQueued();
        }
        const Decision decision = Decide(now, view, options_.policy);
        if (decision.dispatch > 0) return FormBatch(decision, free, now);
        if (stopping_) return {};
        clock_->WaitUntil(
            &changed_, &mutex_,
            std::min(decision.wait_until, queue_.EarliestDeadline()));
      }
    }
    for (auto& task : expired) {
      Task::Finish(std::move(task), Error(Reason::kExpired));
    }
  }
}

Batcher::Batch Batcher::FormBatch(const Decision& decision, TimePoint free,
                                  TimePoint now) {
  Batch batch{queue_.Take(decision.dispatch), decision.reason};
  for (auto& task : batch.tasks) {
    task->times.free = free;
    task->times.launched = now;
    task->ticket.LeaveQueue();
  }
  return batch;
}

void Batcher::RunBatch(Engine* engine, Batch batch) {
  if (options_.on_batch) {
    options_.on_batch({static_cast<int>(batch.tasks.size()), batch.reason});
  }
  const bool works = groupmamba::RunBatch(engine, options_.classes, clock_,
                                          std::move(batch.tasks));
  if (!works && options_.on_device_lost) options_.on_device_lost();
}

}  // namespace groupmamba
