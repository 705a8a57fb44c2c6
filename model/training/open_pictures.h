// The data that a run is given: what lies in a folder decides its form.

#ifndef GROUPMAMBA_MODEL_TRAINING_OPEN_PICTURES_H_
#define GROUPMAMBA_MODEL_TRAINING_OPEN_PICTURES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/training/fashion.h"
#include "model/training/pictures.h"

namespace groupmamba::training {

// A split of the data in `folder`, its first `limit` pictures only unless
// `limit` is 0. With train/ and val/ in it, these are read as shards
// (tar_pictures.h) if there are *.tar, or else as pictures by class
// (folder_pictures.h); otherwise it must hold Fashion-MNIST's files
// (fashion.h). Errors: theirs.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenPictures(
    const std::string& folder, FashionSplit split, int64_t limit);

// Whether a model can be trained on one and tested with the other: both must
// have the same classes. INVALID_ARGUMENT names the first that differs.
absl::Status CheckSameClasses(const PictureSource& train,
                              const PictureSource& test);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_OPEN_PICTURES_H_
