// The models on disk: <root>/<name>/<version>/config.json, ...

#ifndef GROUPMAMBA_SERVER_MODEL_FOLDERS_H_
#define GROUPMAMBA_SERVER_MODEL_FOLDERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/config.h"

namespace groupmamba {

// The highest version of a model.
struct ModelPath {
  std::string name;
  int64_t version = 0;
  std::string path;
};

// Every model under `root`, sorted by name; nothing is read of them. A name
// consists of letters, digits, '.', '_' and '-'; a version is a positive
// integer without leading zeros; other entries are passed over. NOT_FOUND: the
// folder cannot be read.
absl::StatusOr<std::vector<ModelPath>> ListModels(const std::string& root);

// Reads all of them. Errors are for the operator and name files: NOT_FOUND, no
// model at all; else as ReadModelFolder.
absl::StatusOr<std::vector<ModelFolder>> FindModels(const std::string& root);

// Tells whether a version's files have changed: their names, sizes and times.
// Never empty; of a folder that is gone or cannot be read it is like no other.
std::string FingerprintOf(const std::string& path);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_MODEL_FOLDERS_H_
