#include "server/model_reaper.h"

#include <utility>

namespace groupmamba {

ModelReaper::ModelReaper() : thread_([queue = queue_] { Run(queue.get()); }) {}

ModelReaper::~ModelReaper() {
  {
    MutexLock lock(&queue_->mutex);
    queue_->closed = true;
    queue_->changed.NotifyAll();
  }
  thread_.join();
}

std::shared_ptr<ServedModel> ModelReaper::Own(
    std::unique_ptr<ServedModel> model) {
  {
    MutexLock lock(&queue_->mutex);
    ++queue_->owned;
  }
  return std::shared_ptr<ServedModel>(model.release(),
                                      [queue = queue_](ServedModel* unused) {
                                        MutexLock lock(&queue->mutex);
                                        --queue->owned;
                                        queue->models.emplace_back(unused);
                                        queue->changed.NotifyAll();
                                      });
}

void ModelReaper::Run(Queue* queue) {
  while (true) {
    std::vector<std::unique_ptr<ServedModel>> dead;
    {
      MutexLock lock(&queue->mutex);
      while (queue->models.empty() && (queue->owned > 0 || !queue->closed)) {
        queue->changed.Wait(&queue->mutex);
      }
      if (queue->models.empty()) return;
      dead.swap(queue->models);
    }
  }
}

}  // namespace groupmamba
