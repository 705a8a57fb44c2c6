// The models on disk, and the ones that are served.

#ifndef GROUPMAMBA_SERVER_MODEL_REPOSITORY_H_
#define GROUPMAMBA_SERVER_MODEL_REPOSITORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config.h"
#include "server/served_model.h"

namespace groupmamba {

// Reads the highest version of every model under `root`: root/<name>/<version>.
// A name consists of letters, digits, '.', '_' and '-'; a version is a positive
// integer without leading zeros; other entries are passed over.
// Errors are for the operator and name files: NOT_FOUND, no model at all; else
// as ReadModelFolder.
absl::StatusOr<std::vector<ModelFolder>> FindModels(const std::string& root);

// Immutable, so thread-safe.
class ModelRepository {
 public:
  // `default_model`: answers requests that name none; empty: the only model
  // does.
  ModelRepository(std::vector<std::unique_ptr<ServedModel>> models,
                  std::string default_model);

  // version 0: the one that is served. Errors: kUnknownModel, kUnknownVersion,
  // kModelNotNamed.
  absl::StatusOr<ServedModel*> Find(absl::string_view name,
                                    int64_t version) const;

  const std::vector<std::unique_ptr<ServedModel>>& models() const {
    return models_;
  }

 private:
  const std::vector<std::unique_ptr<ServedModel>> models_;
  const std::string default_model_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_MODEL_REPOSITORY_H_
