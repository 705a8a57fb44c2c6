// Who teaches: a model that answers for the pictures that the student sees, or
// answers that were written down.

#ifndef GROUPMAMBA_MODEL_TRAINING_TEACHER_H_
#define GROUPMAMBA_MODEL_TRAINING_TEACHER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/training/batch.h"
#include "model/training/loader.h"
#include "model/training/pictures.h"

namespace groupmamba::training {

// Thread-safety: one call at a time.
class Teacher {
 public:
  virtual ~Teacher() = default;

  // [n, classes], rows that sum to one: what the student is to learn from the
  // teacher about this batch. A model sees the mixed pictures and gives one
  // class for each (hard distillation); answers that were written down are of
  // the plain pictures, and are mixed as these were.
  virtual at::Tensor Targets(const Batch& batch) const = 0;
};

struct TeacherOptions {
  // Where it computes, as its batches are.
  at::Device device = at::kCPU;

  // Of a TorchScript file: the side of its pictures in pixels, 0 for the
  // student's, and how they are normalised (InputConfig).
  int side = 0;
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};
  std::array<float, 3> std = {0.229f, 0.224f, 0.225f};

  // Whose answers were written down, the training pictures; not kept.
  const PictureSource* pictures = nullptr;
};

// By what `path` is:
// - empty: null.
// - a folder: a GroupMamba (model/config.h). It sees the student's pictures, so
//   that its input and its number of classes must be the student's.
// - *.pt: a TorchScript file. Its code is run: it must be trusted.
// - *.safetensors: answers (model/training/teacher_labels.h).
// Errors: INVALID_ARGUMENT, it is damaged or does not fit the student.
absl::StatusOr<std::unique_ptr<Teacher>> LoadTeacher(
    const std::string& path, const ModelConfig& student,
    const TeacherOptions& options = {});

// The class that the teacher chooses for every picture of the source, as it is
// served: what WriteTeacherLabels takes. `loader` says how they are read; its
// steps do not matter. For a picture that cannot be read, which no step will
// see, its own label. `device` is the teacher's. Errors: of Loader::Next.
absl::StatusOr<std::vector<int32_t>> AskTeacher(const Teacher& teacher,
                                                const PictureSource& pictures,
                                                BrokenPictures* broken,
                                                LoaderOptions loader,
                                                at::Device device = at::kCPU);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_TEACHER_H_
