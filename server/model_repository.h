// The models that are served, by name: one version each.

#ifndef GROUPMAMBA_SERVER_MODEL_REPOSITORY_H_
#define GROUPMAMBA_SERVER_MODEL_REPOSITORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "server/model_reaper.h"
#include "server/served_model.h"

namespace groupmamba {

// Thread-safe. A request takes its model once, as a pointer that keeps it: the
// version that it began with answers it, whatever is put here meanwhile.
class ModelRepository {
 public:
  using Models = std::vector<std::shared_ptr<ServedModel>>;

  // `default_model`: answers requests that name none; empty: the only model
  // does.
  ModelRepository(std::vector<std::unique_ptr<ServedModel>> models,
                  std::string default_model);

  // version 0: the one that is served. Errors: kUnknownModel, kUnknownVersion,
  // kModelNotNamed.
  absl::StatusOr<std::shared_ptr<ServedModel>> Find(absl::string_view name,
                                                    int64_t version) const;

  // What is served now, sorted by name.
  Models models() const;

  // The same, and before it those that were replaced or removed and still have
  // requests to answer.
  Models living() const;

  // From now on serves `model` under its name; what it served before, if
  // anything, is returned. It ends when its last request is answered.
  std::shared_ptr<ServedModel> Put(std::unique_ptr<ServedModel> model);

  // Serves nothing under this name any more. Null: it did not.
  std::shared_ptr<ServedModel> Remove(absl::string_view name);

 private:
  Models::iterator PlaceOf(absl::string_view name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Retire(const std::shared_ptr<ServedModel>& model)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string default_model_;
  ModelReaper reaper_;  // before the models, which end on it

  mutable Mutex mutex_;
  Models models_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<ServedModel>> retired_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_MODEL_REPOSITORY_H_
