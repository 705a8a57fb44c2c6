// A teacher's answers for all training pictures, in a safetensors file, so that
// a large teacher is asked once and not in every epoch. One of the tensors
//
//   labels  I32 or I64 [pictures]          the class that it chose
//   logits  F32        [pictures, classes]  of which the highest counts
//
// in the data's order (PictureSource). Where the metadata hold
// "pictures_sha256" (ours do), the pictures' names must hash to it, so that
// answers for other pictures, or in another order, are refused.

#ifndef GROUPMAMBA_MODEL_TRAINING_TEACHER_LABELS_H_
#define GROUPMAMBA_MODEL_TRAINING_TEACHER_LABELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/training/pictures.h"

namespace groupmamba::training {

// SHA-256 of the pictures' names and labels in their order.
std::string HashOfPictures(const PictureSource& pictures);

// `hash`: of the pictures that they must be for. INVALID_ARGUMENT: damaged, or
// not as many as pictures, or a class out of range; FAILED_PRECONDITION: of
// other pictures.
absl::StatusOr<std::vector<int32_t>> ReadTeacherLabels(const std::string& path,
                                                       int64_t pictures,
                                                       int classes,
                                                       const std::string& hash);

// Atomically.
absl::Status WriteTeacherLabels(const std::string& path,
                                absl::Span<const int32_t> labels,
                                const std::string& hash);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_TEACHER_LABELS_H_
