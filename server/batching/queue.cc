#include "server/batching/queue.h"

#include <algorithm>
#include <utility>

namespace groupmamba {
namespace {

constexpr Priority kPriorities[] = {Priority::kHigh, Priority::kNormal,
                                    Priority::kLow};

}  // namespace

void BatchQueue::Push(std::unique_ptr<Task> task) {
  tasks_.insert(std::move(task));
}

std::vector<std::unique_ptr<Task>> BatchQueue::Take(int count) {
  std::vector<std::unique_ptr<Task>> taken;
  while (count-- > 0 && !tasks_.empty()) {
    taken.push_back(std::move(tasks_.extract(tasks_.begin()).value()));
  }
  return taken;
}

std::unique_ptr<Task> BatchQueue::Remove(const QueueKey& key) {
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) return nullptr;
  return std::move(tasks_.extract(found).value());
}

std::vector<std::unique_ptr<Task>> BatchQueue::TakeExpired(TimePoint now) {
  std::vector<std::unique_ptr<Task>> expired;
  for (Priority priority : kPriorities) {
    auto it = FirstOf(priority);
    while (it != tasks_.end() && (*it)->key.priority == priority &&
           (*it)->key.deadline <= now) {
      expired.push_back(std::move(tasks_.extract(it++).value()));
    }
  }
  return expired;
}

TimePoint BatchQueue::EarliestDeadline() const {
  TimePoint earliest = kForever;
  for (Priority priority : kPriorities) {
    const auto it = FirstOf(priority);
    if (it != tasks_.end()) earliest = std::min(earliest, (*it)->key.deadline);
  }
  return earliest;
}

TimePoint BatchQueue::OldestQueued() const {
  TimePoint oldest = kForever;
  for (const auto& task : tasks_) oldest = std::min(oldest, task->times.queued);
  return oldest;
}

BatchQueue::Tasks::const_iterator BatchQueue::FirstOf(Priority priority) const {
  return tasks_.lower_bound(QueueKey{priority, TimePoint::min(), 0});
}

}  // namespace groupmamba
