// Requests that wait for the same, a decoding thread or a model, in the order
// in which they go: by priority, then by deadline, then by arrival.

#ifndef GROUPMAMBA_SERVER_BATCHING_QUEUE_H_
#define GROUPMAMBA_SERVER_BATCHING_QUEUE_H_

#include <memory>
#include <set>
#include <vector>

#include "base/clock.h"
#include "server/batching/policy.h"
#include "server/task.h"

namespace groupmamba {

// Not thread-safe; its owner's lock guards it. Its bound is the admission's.
class TaskQueue {
 public:
  int size() const { return static_cast<int>(tasks_.size()); }
  bool empty() const { return tasks_.empty(); }

  void Push(std::unique_ptr<Task> task);

  // The first `count` in order; fewer when there are fewer.
  std::vector<std::unique_ptr<Task>> Take(int count);

  // The task with that key, or null when it is not here.
  std::unique_ptr<Task> Remove(const QueueKey& key);

  // Everyone whose deadline has come.
  std::vector<std::unique_ptr<Task>> TakeExpired(TimePoint now);

  // kForever when nobody waits.
  TimePoint EarliestDeadline() const;

  // What the policy sees: the first `count` in order, fewer when there are
  // fewer.
  void First(int count, std::vector<ReadyPicture>* first) const;

 private:
  struct ByKey {
    using is_transparent = void;
    static const QueueKey& Key(const QueueKey& key) { return key; }
    static const QueueKey& Key(const std::unique_ptr<Task>& task) {
      return task->key;
    }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Key(a) < Key(b);
    }
  };
  using Tasks = std::set<std::unique_ptr<Task>, ByKey>;

  // The first with that priority or a lower one.
  Tasks::const_iterator FirstOf(Priority priority) const;

  Tasks tasks_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_QUEUE_H_
