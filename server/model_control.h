// Loads, replaces and unloads models while the server runs.

#ifndef GROUPMAMBA_SERVER_MODEL_CONTROL_H_
#define GROUPMAMBA_SERVER_MODEL_CONTROL_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/metrics.h"
#include "server/model_folders.h"
#include "server/model_repository.h"
#include "server/served_model.h"

namespace groupmamba {

struct ModelControlOptions {
  // Folder of the models, as ListModels reads it; empty: nothing is changed
  // while the server runs.
  std::string root = {};

  // How often to look for new versions; 0: only when asked.
  Duration poll = Duration::zero();
};

// One thread does one thing after another, so that two loads never run at once.
// A new version is read, checked and warmed up beside the old one, which serves
// meanwhile; then it takes its place between two requests, and the old one ends
// when its last request is answered. Whatever goes wrong before that is logged
// and counted, and the old one serves on. Memory must hold both.
//
// Thread-safe.
class ModelControl {
 public:
  // Makes a model that is not loaded yet.
  using Maker = std::function<std::unique_ptr<ServedModel>(ModelFolder)>;

  // Told when a model begins or ceases to be served.
  using Tell = std::function<void(const std::string& name, bool serving)>;

  // Called once, on the thread, or at once if too many ask. Fit for the client:
  // OK; kUnknownModel, kLoadFailed, kNoModelControl, kQueueFull, kDraining.
  using Done = std::function<void(const absl::Status&)>;

  // The pointers must outlive it.
  ModelControl(const ModelControlOptions& options, ModelRepository* models,
               Metrics* metrics, Maker make, Tell tell, Clock* clock);

  // Waits for what is under way, as Stop does not.
  ~ModelControl();

  // Begins; the models of the repository are loaded, by engines of `factory`.
  // Once.
  void Start(EngineFactory factory);

  // Makes the models served those of the folder: of each the highest version,
  // if its files have changed since it was loaded or could not be loaded; those
  // whose folder is gone are unloaded. Models that were unloaded by name stay
  // so.
  void Reload();

  // Loads the highest version of a model, again if it is served already.
  void Load(const std::string& name, Done done);

  // New requests for the model are kUnknownModel; those inside are answered.
  void Unload(const std::string& name, Done done);

  // Begins nothing more, and lets a load that is under way fail soon.
  void Stop();

 private:
  using Job = std::function<absl::Status()>;
  struct Ask {
    Job job;
    Done done;
  };

  // What is known of a model's folder.
  struct Known {
    std::string seen;   // fingerprint when it was last looked at
    std::string tried;  // fingerprint when it was last loaded
    bool loaded = false;
  };

  void Submit(Job job, Done done);
  void Run();

  // On the thread.
  absl::Status Refresh(bool polling);
  bool IsDue(const ModelPath& path, bool polling);
  absl::Status LoadNamed(const std::string& name);
  absl::Status LoadVersion(const ModelPath& path);
  absl::Status Replace(const ModelPath& path);
  absl::Status UnloadNamed(const std::string& name);

  const ModelControlOptions options_;
  ModelRepository* const models_;
  Metrics* const metrics_;
  const Maker make_;
  const Tell tell_;
  Clock* const clock_;

  // The thread's own.
  EngineFactory factory_;
  std::map<std::string, Known> known_;
  std::set<std::string> unloaded_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<Ask> asked_ ABSL_GUARDED_BY(mutex_);
  ServedModel* loading_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_MODEL_CONTROL_H_
