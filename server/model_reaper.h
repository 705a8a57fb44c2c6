// Ends models that nobody uses any more.

#ifndef GROUPMAMBA_SERVER_MODEL_REAPER_H_
#define GROUPMAMBA_SERVER_MODEL_REAPER_H_

#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "server/served_model.h"

namespace groupmamba {

// A model's last user is often a thread of its own, which answers the last
// request that it was asked; a thread cannot wait for its own end. So whoever
// lets go last only hands the model to this thread.
//
// Thread-safe.
class ModelReaper {
 public:
  ModelReaper();

  // Waits until every model was let go of and has ended.
  ~ModelReaper();

  ModelReaper(const ModelReaper&) = delete;
  ModelReaper& operator=(const ModelReaper&) = delete;

  // The same model, which ends on the thread once the last copy of the pointer
  // is gone.
  std::shared_ptr<ServedModel> Own(std::unique_ptr<ServedModel> model);

 private:
  struct Queue {
    Mutex mutex;
    CondVar changed;
    std::vector<std::unique_ptr<ServedModel>> models ABSL_GUARDED_BY(mutex);
    int owned ABSL_GUARDED_BY(mutex) = 0;  // not handed in yet
    bool closed ABSL_GUARDED_BY(mutex) = false;
  };

  static void Run(Queue* queue);

  const std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::thread thread_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_MODEL_REAPER_H_
