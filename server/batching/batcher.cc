#include "server/batching/batcher.h"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "absl/types/span.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace groupmamba {
namespace {

// wait_for_company is a mean of some ten batches.
constexpr int kWaitMemory = 10;

absl::Status OutOfMemory() {
  return absl::ResourceExhaustedError(
      "no memory or no thread is to be had for the model");
}

}  // namespace

Batcher::Batcher(BatcherOptions options, Clock* clock)
    : options_(std::move(options)),
      clock_(clock),
      forecast_(options_.policy.max_batch, options_.instances),
      told_(options_.instances),
      running_(options_.instances) {}

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
    try {
      threads_.emplace_back([this, i, &factory] { RunInstance(i, factory); });
    } catch (const std::system_error&) {
      return OutOfMemory();
    }
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

Duration Batcher::wait_for_company() const {
  MutexLock lock(&mutex_);
  return wait_for_company_;
}

Duration Batcher::BatchTime(int size) const {
  MutexLock lock(&mutex_);
  return forecast_.times().Typical(size);
}

Prediction Batcher::Predict(Priority priority) const {
  MutexLock lock(&mutex_);
  return forecast_.Predict(clock_->Now(), priority);
}

void Batcher::Expect(Priority priority) {
  MutexLock lock(&mutex_);
  forecast_.Arrived(clock_->Now(), priority);
}

void Batcher::Unexpect(Priority priority) {
  {
    MutexLock lock(&mutex_);
    forecast_.CalledOff(clock_->Now(), priority);
    if (idle_ == 0) return;
  }
  changed_.NotifyOne();
}

void Batcher::Enqueue(std::unique_ptr<Task> task) {
  absl::Status dead;
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    const TimePoint now = clock_->Now();
    const Priority priority = task->key.priority;
    dead = aborted_ ? Error(Reason::kDraining) : task->Alive(now);
    if (dead.ok()) {
      forecast_.Ready(priority, now - task->times.arrived);
      task->times.queued = now;
      last_ready_ = now;
      queue_.Push(std::move(task));
    } else {
      forecast_.CalledOff(now, priority);
    }
    wake = idle_ > 0;
  }
  if (wake) changed_.NotifyOne();
  if (!dead.ok()) Task::Finish(std::move(task), dead);
}

void Batcher::Cancel(const QueueKey& key) {
  Tasks tasks;
  const TimePoint now = clock_->Now();
  {
    MutexLock lock(&mutex_);
    std::unique_ptr<Task> task = queue_.Remove(key);
    if (task == nullptr) return;
    tasks.push_back(std::move(task));
    Leave(tasks, now);
  }
  tasks[0]->cancelled->store(true);
  const absl::Status status = tasks[0]->Alive(now);
  Task::Finish(std::move(tasks[0]), status);
}

TimePoint Batcher::Expire() {
  Tasks expired;
  TimePoint next;
  {
    MutexLock lock(&mutex_);
    const TimePoint now = clock_->Now();
    expired = queue_.TakeExpired(now);
    Leave(expired, now);
    next = queue_.EarliestDeadline();
  }
  for (int i = 0; i < options_.instances; ++i) {
    for (auto& task : running_[i].TakeExpired(clock_->Now())) {
      expired.push_back(std::move(task));
    }
    next = std::min({next, running_[i].EarliestDeadline(), WatchInstance(i)});
  }
  for (auto& task : expired) {
    Task::Finish(std::move(task), Error(Reason::kExpired));
  }
  return next;
}

// When to look at the instance's call again.
TimePoint Batcher::WatchInstance(int instance) {
  const TimePoint since = running_[instance].since();
  if (options_.hang_after == Duration::zero() || since == kForever) {
    return kForever;
  }
  const TimePoint hangs = since + options_.hang_after;
  const TimePoint now = clock_->Now();
  if (now < hangs) return hangs;
  {
    MutexLock lock(&mutex_);
    if (std::exchange(told_[instance], since) == since) return kForever;
  }
  Log(LogLevel::kError, "the model hangs",
      {{"seconds", ToSeconds(now - since)}});
  if (options_.on_device_lost) options_.on_device_lost();
  return kForever;
}

void Batcher::Drain() {
  MutexLock lock(&mutex_);
  draining_ = true;
  changed_.NotifyAll();
}

void Batcher::Abort() {
  Tasks waiting;
  {
    MutexLock lock(&mutex_);
    aborted_ = true;
    waiting = queue_.Take(queue_.size());
    Leave(waiting, clock_->Now());
    changed_.NotifyAll();
  }
  for (auto& task : waiting) {
    Task::Finish(std::move(task), Error(Reason::kDraining));
  }
}

void Batcher::GiveUp() {
  for (RunningBatch& running : running_) {
    for (auto& task : running.TakeAll()) {
      Task::Finish(std::move(task), Error(Reason::kDraining));
    }
  }
}

void Batcher::Leave(const Tasks& tasks, TimePoint now) {
  for (const auto& task : tasks) forecast_.LeftQueue(now, task->key.priority);
}

void Batcher::RunInstance(int instance, const EngineFactory& factory) {
  absl::StatusOr<std::unique_ptr<Engine>> engine = OutOfMemory();
  try {
    engine = LoadAndWarmUp(factory);
  } catch (const std::bad_alloc&) {  // a new version beside the old one
  }
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
  Ran ran;
  while (true) {
    Batch batch = NextBatch(instance, ran);
    if (batch.tasks.empty()) return;
    ran = RunBatch(instance, engine->get(), std::move(batch));
  }
}

absl::StatusOr<std::unique_ptr<Engine>> Batcher::LoadAndWarmUp(
    const EngineFactory& factory) {
  GM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, factory());
  for (int size = 1;; size = std::min(2 * size, options_.policy.max_batch)) {
    {
      MutexLock lock(&mutex_);
      if (aborted_) return Error(Reason::kDraining);
    }
    // The first of a size allocates, and tells nothing.
    GM_RETURN_IF_ERROR(WarmUp(engine.get(), size).status());
    GM_ASSIGN_OR_RETURN(const Duration time, WarmUp(engine.get(), size));
    MutexLock lock(&mutex_);
    forecast_.times().Seed(size, time);
    if (size == options_.policy.max_batch) break;
  }
  return engine;
}

absl::StatusOr<Duration> Batcher::WarmUp(Engine* engine, int size) const {
  const std::vector<uint8_t> gray(options_.picture_bytes, 128);
  const std::vector<const uint8_t*> pictures(size, gray.data());
  std::vector<float> logits(static_cast<size_t>(size) * options_.classes);
  const TimePoint from = clock_->Now();
  GM_RETURN_IF_ERROR(engine->Infer(pictures, absl::MakeSpan(logits)));
  return clock_->Now() - from;
}

void Batcher::Learn(int instance, const Ran& ran, TimePoint now) {
  if (ran.measured > 0) forecast_.times().Observe(ran.measured, ran.time);
  forecast_.Finished(now, instance, ran.taken);
}

Batcher::Batch Batcher::NextBatch(int instance, const Ran& ran) {
  const TimePoint free = clock_->Now();
  bool learned = false;
  while (true) {
    Tasks lost;
    {
      MutexLock lock(&mutex_);
      if (!std::exchange(learned, true)) Learn(instance, ran, free);
      const TimePoint now = clock_->Now();
      lost = queue_.TakeExpired(now);
      if (lost.empty()) {
        const Decision decision =
            Decide(now, View(free), options_.policy, forecast_.times());
        if (decision.dispatch > 0) {
          return FormBatch(decision, instance, free, now);
        }
        lost = queue_.Take(decision.give_up);
        if (lost.empty()) {
          if (stopping_) return {};
          ++idle_;
          clock_->WaitUntil(
              &changed_, &mutex_,
              std::min(decision.wait_until, queue_.EarliestDeadline()));
          --idle_;
        }
      }
      Leave(lost, now);
    }
    for (auto& task : lost) {
      Task::Finish(std::move(task), Error(Reason::kExpired));
    }
  }
}

QueueView Batcher::View(TimePoint free) {
  queue_.First(options_.policy.max_batch, &first_);
  return {.first = first_,
          .waiting = queue_.size(),
          .unchanged_since = std::max(free, last_ready_),
          .gap = forecast_.Gap(),
          .draining = draining_};
}

Batcher::Batch Batcher::FormBatch(const Decision& decision, int instance,
                                  TimePoint free, TimePoint now) {
  Batch batch{queue_.Take(decision.dispatch), decision.reason};
  TimePoint oldest = kForever;
  for (auto& task : batch.tasks) {
    forecast_.Taken(task->key.priority);
    oldest = std::min(oldest, task->times.queued);
    task->times.free = free;
    task->times.launched = now;
    task->ticket.LeaveQueue();
  }
  forecast_.Started(now, instance, decision.dispatch);
  wait_for_company_ +=
      (now - std::max(free, oldest) - wait_for_company_) / kWaitMemory;
  // Who was woken for these may not have been the only one who waits.
  if (!queue_.empty() && idle_ > 0) changed_.NotifyOne();
  return batch;
}

Batcher::Ran Batcher::RunBatch(int instance, Engine* engine, Batch batch) {
  const auto taken = static_cast<int>(batch.tasks.size());
  if (options_.on_batch) options_.on_batch({taken, batch.reason});
  const TimePoint from = clock_->Now();
  const BatchOutcome outcome =
      groupmamba::RunBatch(engine, options_.classes, clock_,
                           &running_[instance], std::move(batch.tasks));
  if (outcome.device_lost && options_.on_device_lost) {
    options_.on_device_lost();
  }
  return {.taken = taken,
          .measured = outcome.answered,
          .time = clock_->Now() - from};
}

}  // namespace groupmamba
