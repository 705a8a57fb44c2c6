#include "server/model_repository.h"

#include <algorithm>
#include <utility>

#include "server/status_map.h"

namespace groupmamba {

ModelRepository::ModelRepository(
    std::vector<std::unique_ptr<ServedModel>> models, std::string default_model)
    : default_model_(std::move(default_model)) {
  for (auto& model : models) Put(std::move(model));
}

absl::StatusOr<std::shared_ptr<ServedModel>> ModelRepository::Find(
    absl::string_view name, int64_t version) const {
  if (name.empty()) name = default_model_;
  MutexLock lock(&mutex_);
  if (name.empty() && models_.size() > 1) return Error(Reason::kModelNotNamed);
  for (const auto& model : models_) {
    if (!name.empty() && model->folder().name != name) continue;
    if (version != 0 && model->folder().version != version) {
      return Error(Reason::kUnknownVersion);
    }
    return model;
  }
  return Error(Reason::kUnknownModel);
}

ModelRepository::Models ModelRepository::models() const {
  MutexLock lock(&mutex_);
  return models_;
}

ModelRepository::Models ModelRepository::living() const {
  Models living;
  MutexLock lock(&mutex_);
  for (const auto& retired : retired_) {
    if (auto model = retired.lock()) living.push_back(std::move(model));
  }
  living.insert(living.end(), models_.begin(), models_.end());
  return living;
}

ModelRepository::Models::iterator ModelRepository::PlaceOf(
    absl::string_view name) {
  return std::lower_bound(models_.begin(), models_.end(), name,
                          [](const auto& model, absl::string_view wanted) {
                            return model->folder().name < wanted;
                          });
}

void ModelRepository::Retire(const std::shared_ptr<ServedModel>& model) {
  std::erase_if(retired_, [](const auto& old) { return old.expired(); });
  retired_.push_back(model);
}

std::shared_ptr<ServedModel> ModelRepository::Put(
    std::unique_ptr<ServedModel> model) {
  std::shared_ptr<ServedModel> newer = reaper_.Own(std::move(model));
  MutexLock lock(&mutex_);
  const auto place = PlaceOf(newer->folder().name);
  if (place == models_.end() ||
      (*place)->folder().name != newer->folder().name) {
    models_.insert(place, std::move(newer));
    return nullptr;
  }
  place->swap(newer);
  Retire(newer);
  return newer;
}

std::shared_ptr<ServedModel> ModelRepository::Remove(absl::string_view name) {
  MutexLock lock(&mutex_);
  const auto place = PlaceOf(name);
  if (place == models_.end() || (*place)->folder().name != name) return nullptr;
  std::shared_ptr<ServedModel> removed = std::move(*place);
  models_.erase(place);
  Retire(removed);
  return removed;
}

}  // namespace groupmamba
