#include "server/batching/queue.h"

#include <algorithm>
#include <utility>

namespace groupmamba {
namespace {

constexpr Priority kPriorities[] = {Priority::kHigh, Priority::kNormal,
                                    Priority::kLow};

}  // namespace

void TaskQueue::Push(std::unique_ptr<Task> task) {
  tasks_.insert(std::move(task));
}

std::vector<std::unique_ptr<Task>> TaskQueue::Take(int count) {
  std::vector<std::unique_ptr<Task>> taken;
  while (count-- > 0 && !tasks_.empty()) {
    taken.push_back(std::move(tasks_.extract(tasks_.begin()).value()));
  }
  return taken;
}

std::unique_ptr<Task> TaskQueue::Remove(const QueueKey& key) {
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) return nullptr;
  return std::move(tasks_.extract(found).value());
}

std::vector<std::unique_ptr<Task>> TaskQueue::TakeExpired(TimePoint now) {
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

TimePoint TaskQueue::EarliestDeadline() const {
  TimePoint earliest = kForever;
  for (Priority priority : kPriorities) {
    const auto it = FirstOf(priority);
    if (it != tasks_.end()) earliest = std::min(earliest, (*it)->key.deadline);
  }
  return earliest;
}

void TaskQueue::First(int count, std::vector<ReadyPicture>* first) const {
  first->clear();
  for (auto it = tasks_.begin(); it != tasks_.end() && count > 0; ++it) {
    const Task& task = **it;
    first->push_back({.deadline = task.key.deadline,
                      .arrived = task.times.arrived,
                      .ready = task.times.queued});
    --count;
  }
}

TaskQueue::Tasks::const_iterator TaskQueue::FirstOf(Priority priority) const {
  return tasks_.lower_bound(QueueKey{priority, TimePoint::min(), 0});
}

}  // namespace groupmamba
