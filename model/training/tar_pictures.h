// Pictures in tar files (shards), as WebDataset writes them: for each picture a
// member <key>.jpg, .jpeg, .png or .webp and a member <key>.cls with the number
// of its class as text. The key is the name up to the first dot after the last
// slash.

#ifndef GROUPMAMBA_MODEL_TRAINING_TAR_PICTURES_H_
#define GROUPMAMBA_MODEL_TRAINING_TAR_PICTURES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/training/pictures.h"

namespace groupmamba::training {

// The files FOLDER/NAME/*.tar as paths below FOLDER, sorted; none is no error.
absl::StatusOr<std::vector<std::string>> ListShards(const std::string& folder,
                                                    const std::string& name);

// The pictures of the shards, in the order in which they lie there; other
// members are left alone. The classes' names are the lines of
// FOLDER/labels.txt. Where pictures lie is found out here, from the headers;
// they are read when they are needed, wherever they lie, so that the shards
// should be on a disk of this machine. Errors: those of ListTar and
// ParseLabels; INVALID_ARGUMENT, a key without a label or with two pictures, a
// class out of range, no picture.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenShards(
    const std::string& folder, const std::vector<std::string>& shards,
    int64_t limit);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_TAR_PICTURES_H_
