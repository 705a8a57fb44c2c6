// Pictures in folders by class, as ImageNet is usually unpacked.

#ifndef GROUPMAMBA_MODEL_TRAINING_FOLDER_PICTURES_H_
#define GROUPMAMBA_MODEL_TRAINING_FOLDER_PICTURES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/training/pictures.h"

namespace groupmamba::training {

// FOLDER/NAME/<class>/<picture>: every folder is a class, in the order of their
// names' bytes, and every .jpg, .jpeg, .png or .webp in it a picture (any case;
// other files, and names that begin with a dot, are left alone). The data's
// order takes the first picture of each class, then the second of each, and so
// on, so that a limit leaves a little of all. Only names are kept; a picture is
// read when it is needed. Errors: NOT_FOUND; INVALID_ARGUMENT, no class, a
// class without pictures, or a class name that labels.txt could not hold.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenFolder(
    const std::string& folder, const std::string& name, int64_t limit);

// Whether a file of that name is a picture, by its ending.
bool IsPictureName(absl::string_view name);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_FOLDER_PICTURES_H_
