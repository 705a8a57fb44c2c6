#include "server/model_control.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status_macros.h"
#include "server/status_map.h"

namespace groupmamba {
namespace {

// Further ones are refused: a load takes seconds.
constexpr size_t kMostAsked = 100;

void LogFailure(absl::string_view event, const std::string& model,
                const absl::Status& status) {
  Log(LogLevel::kError, event,
      {{"model", model}, {"reason", std::string(status.message())}});
}

}  // namespace

ModelControl::ModelControl(const ModelControlOptions& options,
                           ModelRepository* models, Metrics* metrics,
                           Maker make, Tell tell, Clock* clock)
    : options_(options),
      models_(models),
      metrics_(metrics),
      make_(std::move(make)),
      tell_(std::move(tell)),
      clock_(clock) {}

ModelControl::~ModelControl() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void ModelControl::Start(EngineFactory factory) {
  factory_ = std::move(factory);
  for (const auto& model : models_->models()) {
    const std::string print = FingerprintOf(model->folder().path);
    known_[model->folder().name] = {
        .seen = print, .tried = print, .loaded = true};
  }
  thread_ = std::thread([this] { Run(); });
}

void ModelControl::Reload() {
  Submit([this] { return Refresh(/*polling=*/false); },
         [](const absl::Status&) {});
}

void ModelControl::Load(const std::string& name, Done done) {
  Submit([this, name] { return LoadNamed(name); }, std::move(done));
}

void ModelControl::Unload(const std::string& name, Done done) {
  Submit([this, name] { return UnloadNamed(name); }, std::move(done));
}

void ModelControl::Stop() {
  MutexLock lock(&mutex_);
  stopping_ = true;
  if (loading_ != nullptr) loading_->batcher().Abort();
  changed_.NotifyAll();
}

void ModelControl::Submit(Job job, Done done) {
  absl::Status refused;
  {
    MutexLock lock(&mutex_);
    if (options_.root.empty()) {
      refused = Error(Reason::kNoModelControl,
                      "this server has no folder of models (--models)");
    } else if (stopping_) {
      refused = Error(Reason::kDraining);
    } else if (asked_.size() == kMostAsked) {
      refused = Error(Reason::kQueueFull);
    } else {
      asked_.push_back({std::move(job), std::move(done)});
      changed_.NotifyAll();
      return;
    }
  }
  done(refused);
}

void ModelControl::Run() {
  const bool polls = options_.poll > Duration::zero() && !options_.root.empty();
  TimePoint next_poll = polls ? clock_->Now() + options_.poll : kForever;
  while (true) {
    Ask ask;
    {
      MutexLock lock(&mutex_);
      while (asked_.empty() && !stopping_ && clock_->Now() < next_poll) {
        clock_->WaitUntil(&changed_, &mutex_, next_poll);
      }
      if (stopping_) break;
      if (!asked_.empty()) {
        ask = std::move(asked_.front());
        asked_.pop_front();
      }
    }
    if (ask.job != nullptr) {
      ask.done(ask.job());
    } else {
      (void)Refresh(/*polling=*/true);
      next_poll = clock_->Now() + options_.poll;
    }
  }
  std::deque<Ask> left;
  {
    MutexLock lock(&mutex_);
    left.swap(asked_);
  }
  for (const Ask& ask : left) ask.done(Error(Reason::kDraining));
}

absl::Status ModelControl::Refresh(bool polling) {
  const absl::StatusOr<std::vector<ModelPath>> paths =
      ListModels(options_.root);
  if (!paths.ok()) {
    metrics_->ReloadFailed();
    LogFailure("models cannot be listed", "", paths.status());
    return Error(Reason::kLoadFailed);
  }
  absl::Status result;
  for (const ModelPath& path : *paths) {
    if (IsDue(path, polling)) result.Update(LoadVersion(path));
  }
  const auto is_gone = [&](const std::string& name) {
    return std::none_of(
        paths->begin(), paths->end(),
        [&](const ModelPath& path) { return path.name == name; });
  };
  for (const auto& model : models_->models()) {
    const std::string& name = model->folder().name;
    if (is_gone(name)) result.Update(UnloadNamed(name));
  }
  // When a folder comes back, so does its model.
  std::erase_if(unloaded_, is_gone);
  std::erase_if(known_,
                [&](const auto& known) { return is_gone(known.first); });
  return result;
}

// Polling, a folder must look twice the same: it may still be being written.
// And one that could not be loaded is not tried again until it changes.
bool ModelControl::IsDue(const ModelPath& path, bool polling) {
  if (unloaded_.contains(path.name)) return false;
  Known& known = known_[path.name];
  const std::string print = FingerprintOf(path.path);
  const bool rests = std::exchange(known.seen, print) == print;
  if (known.tried == print) return !known.loaded && !polling;
  return rests || !polling;
}

absl::Status ModelControl::LoadNamed(const std::string& name) {
  const absl::StatusOr<std::vector<ModelPath>> paths =
      ListModels(options_.root);
  if (!paths.ok()) {
    LogFailure("models cannot be listed", "", paths.status());
    return Error(Reason::kLoadFailed);
  }
  for (const ModelPath& path : *paths) {
    if (path.name != name) continue;
    unloaded_.erase(name);
    return LoadVersion(path);
  }
  return Error(Reason::kUnknownModel);
}

absl::Status ModelControl::LoadVersion(const ModelPath& path) {
  Known& known = known_[path.name];
  // Taken before reading, so that a change while it is read counts as one.
  known.seen = known.tried = FingerprintOf(path.path);
  absl::Status status;
  try {
    status = Replace(path);
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("out of memory");
    MutexLock lock(&mutex_);
    loading_ = nullptr;
  }
  known.loaded = status.ok();
  if (status.ok() || status == Error(Reason::kDraining)) return status;
  metrics_->ReloadFailed();
  LogFailure("model not loaded", path.path, status);
  return Error(Reason::kLoadFailed);
}

absl::Status ModelControl::Replace(const ModelPath& path) {
  GM_ASSIGN_OR_RETURN(ModelFolder folder, ReadModelFolder(path.path));
  std::unique_ptr<ServedModel> model = make_(std::move(folder));
  {
    MutexLock lock(&mutex_);
    if (stopping_) return Error(Reason::kDraining);
    loading_ = model.get();
  }
  const absl::Status status = model->Load(factory_);
  {
    MutexLock lock(&mutex_);
    loading_ = nullptr;
    if (stopping_) return Error(Reason::kDraining);
  }
  GM_RETURN_IF_ERROR(status);
  ModelMetrics& counts = model->metrics();
  const std::shared_ptr<ServedModel> old = models_->Put(std::move(model));
  if (old != nullptr) {
    old->metrics().SetReady(false);  // maybe the same version, loaded anew
    old->batcher().Drain();
    Log(LogLevel::kInfo, "model replaced",
        {{"model", path.name},
         {"version", path.version},
         {"before", old->folder().version}});
  }
  counts.SetReady(true);
  tell_(path.name, true);
  return absl::OkStatus();
}

absl::Status ModelControl::UnloadNamed(const std::string& name) {
  const std::shared_ptr<ServedModel> old = models_->Remove(name);
  if (old == nullptr) return Error(Reason::kUnknownModel);
  unloaded_.insert(name);
  old->metrics().SetReady(false);
  old->batcher().Drain();
  tell_(name, false);
  Log(LogLevel::kInfo, "model unloaded",
      {{"model", name}, {"version", old->folder().version}});
  return absl::OkStatus();
}

}  // namespace groupmamba
