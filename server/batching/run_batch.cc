#include "server/batching/run_batch.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/types/span.h"
#include "base/log.h"

namespace groupmamba {
namespace {

using Tasks = std::vector<std::unique_ptr<Task>>;

Tasks FinishDead(Tasks tasks, TimePoint now) {
  Tasks alive;
  for (std::unique_ptr<Task>& task : tasks) {
    const absl::Status status = task->Alive(now);
    if (status.ok()) {
      alive.push_back(std::move(task));
    } else {
      Task::Finish(std::move(task), status);
    }
  }
  return alive;
}

BatchOutcome SplitAndRetry(Engine* engine, int classes, const Clock* clock,
                           RunningBatch* running, Tasks tasks) {
  const auto middle = tasks.begin() + static_cast<ptrdiff_t>(tasks.size() / 2);
  Tasks second(std::make_move_iterator(middle),
               std::make_move_iterator(tasks.end()));
  tasks.erase(middle, tasks.end());
  const bool lost =
      RunBatch(engine, classes, clock, running, std::move(tasks)).device_lost;
  return {.device_lost =
              RunBatch(engine, classes, clock, running, std::move(second))
                  .device_lost ||
              lost};
}

}  // namespace

void RunningBatch::Put(Tasks tasks, TimePoint now) {
  MutexLock lock(&mutex_);
  tasks_ = std::move(tasks);
  since_ = now;
}

RunningBatch::Tasks RunningBatch::Take() {
  std::vector<Slot> free;  // given back after the lock
  MutexLock lock(&mutex_);
  free.swap(left_behind_);
  since_ = kForever;
  return std::exchange(tasks_, {});
}

RunningBatch::Tasks RunningBatch::TakeExpired(TimePoint now) {
  Tasks expired;
  MutexLock lock(&mutex_);
  for (std::unique_ptr<Task>& task : tasks_) {
    if (task == nullptr || task->key.deadline > now) continue;
    left_behind_.push_back(std::move(task->slot));
    expired.push_back(std::move(task));
  }
  return expired;
}

TimePoint RunningBatch::EarliestDeadline() const {
  TimePoint earliest = kForever;
  MutexLock lock(&mutex_);
  for (const std::unique_ptr<Task>& task : tasks_) {
    if (task != nullptr) earliest = std::min(earliest, task->key.deadline);
  }
  return earliest;
}

TimePoint RunningBatch::since() const {
  MutexLock lock(&mutex_);
  return since_;
}

BatchOutcome RunBatch(Engine* engine, int classes, const Clock* clock,
                      RunningBatch* running, Tasks tasks) {
  tasks = FinishDead(std::move(tasks), clock->Now());
  if (tasks.empty()) return {};

  std::vector<const uint8_t*> pictures;
  for (const auto& task : tasks) pictures.push_back(task->slot.bytes().data());
  std::vector<float> logits(tasks.size() * static_cast<size_t>(classes));

  const auto answered = static_cast<int>(tasks.size());
  const TimePoint from = clock->Now();
  running->Put(std::move(tasks), from);
  const absl::Status status = engine->Infer(pictures, absl::MakeSpan(logits));
  tasks = running->Take();
  const TimePoint to = clock->Now();

  if (!status.ok()) {
    std::erase(tasks, nullptr);
    Log(LogLevel::kError, "batch failed",
        {{"pictures", tasks.size()}, {"status", status.ToString()}});
    const bool device_lost = absl::IsUnavailable(status);
    if (!device_lost && tasks.size() > 1) {
      return SplitAndRetry(engine, classes, clock, running, std::move(tasks));
    }
    for (std::unique_ptr<Task>& task : tasks) {
      Task::Finish(std::move(task), Error(Reason::kModelFailed));
    }
    return {.device_lost = device_lost};
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i] == nullptr) continue;
    tasks[i]->times.inference_from = from;
    tasks[i]->times.inferred = to;
    tasks[i]->batch_size = answered;
    tasks[i]->logits =
        absl::MakeConstSpan(logits).subspan(i * classes, classes);
    Task::Finish(std::move(tasks[i]), absl::OkStatus());
  }
  return {.answered = answered};
}

}  // namespace groupmamba
