#include "server/batching/run_batch.h"

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
                           Tasks tasks) {
  const auto middle = tasks.begin() + static_cast<ptrdiff_t>(tasks.size() / 2);
  Tasks second(std::make_move_iterator(middle),
               std::make_move_iterator(tasks.end()));
  tasks.erase(middle, tasks.end());
  const bool lost =
      RunBatch(engine, classes, clock, std::move(tasks)).device_lost;
  return {.device_lost =
              RunBatch(engine, classes, clock, std::move(second)).device_lost ||
              lost};
}

}  // namespace

BatchOutcome RunBatch(Engine* engine, int classes, const Clock* clock,
                      Tasks tasks) {
  tasks = FinishDead(std::move(tasks), clock->Now());
  if (tasks.empty()) return {};

  std::vector<const uint8_t*> pictures;
  for (const auto& task : tasks) pictures.push_back(task->slot.bytes().data());
  std::vector<float> logits(tasks.size() * static_cast<size_t>(classes));

  const TimePoint from = clock->Now();
  const absl::Status status = engine->Infer(pictures, absl::MakeSpan(logits));
  const TimePoint to = clock->Now();

  if (!status.ok()) {
    Log(LogLevel::kError, "batch failed",
        {{"pictures", tasks.size()}, {"status", status.ToString()}});
    const bool device_lost = absl::IsUnavailable(status);
    if (!device_lost && tasks.size() > 1) {
      return SplitAndRetry(engine, classes, clock, std::move(tasks));
    }
    for (std::unique_ptr<Task>& task : tasks) {
      Task::Finish(std::move(task), Error(Reason::kModelFailed));
    }
    return {.device_lost = device_lost};
  }
  const auto answered = static_cast<int>(tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
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
