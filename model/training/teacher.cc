#include "model/training/teacher.h"

#include <filesystem>
#include <utility>

#include "ATen/Functions.h"
#include "ATen/core/grad_mode.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/network.h"
#include "model/tensors.h"
#include "model/training/script_teacher.h"
#include "model/training/teacher_labels.h"
#include "model/weights.h"

namespace groupmamba::training {
namespace {

constexpr int64_t kAskedAtOnce = 100;  // pictures

bool SamePictures(const InputConfig& a, const InputConfig& b) {
  return a.resize == b.resize && a.crop == b.crop &&
         a.interpolation == b.interpolation && a.mean == b.mean &&
         a.std == b.std;
}

class NetworkTeacher final : public Teacher {
 public:
  NetworkTeacher(std::unique_ptr<Network> network, int64_t classes)
      : network_(std::move(network)), classes_(classes) {}

  at::Tensor Targets(const Batch& batch) const override {
    const at::Tensor labels =
        network_->Forward(batch.images, {}).Mean().argmax(1);
    return SoftTargets(labels, classes_, /*smoothing=*/0, /*share=*/1);
  }

 private:
  const std::unique_ptr<Network> network_;
  const int64_t classes_;
};

class WrittenTeacher final : public Teacher {
 public:
  WrittenTeacher(std::vector<int32_t> labels, int64_t classes)
      : labels_(std::move(labels)), classes_(classes) {}

  at::Tensor Targets(const Batch& batch) const override {
    std::vector<int64_t> labels;
    for (const int32_t picture : batch.pictures) {
      labels.push_back(labels_[picture]);
    }
    return SoftTargets(
        at::tensor(at::ArrayRef<int64_t>(labels)).to(batch.labels.device()),
        classes_, /*smoothing=*/0, batch.share);
  }

 private:
  const std::vector<int32_t> labels_;  // by picture
  const int64_t classes_;
};

absl::StatusOr<std::unique_ptr<Teacher>> LoadFolder(const std::string& path,
                                                    const ModelConfig& student,
                                                    at::Device device) {
  GM_ASSIGN_OR_RETURN(const ModelFolder folder, ReadModelFolder(path));
  if (!SamePictures(folder.config.input, student.input) ||
      folder.config.classes != student.classes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": its pictures or classes are not the student's (side ",
        folder.config.input.crop, " against ", student.input.crop, ", ",
        folder.config.classes, " classes against ", student.classes, ")"));
  }
  GM_ASSIGN_OR_RETURN(const SafetensorsFile weights, ReadWeights(folder));
  TensorMap tensors = TensorsOf(weights);
  for (auto& [name, tensor] : tensors) tensor = tensor.to(device);
  GM_ASSIGN_OR_RETURN(std::unique_ptr<Network> network,
                      Network::Create(folder.config, std::move(tensors)));
  return std::make_unique<NetworkTeacher>(std::move(network), student.classes);
}

absl::StatusOr<std::unique_ptr<Teacher>> LoadAnswers(
    const std::string& path, const ModelConfig& student,
    const PictureSource& pictures) {
  GM_ASSIGN_OR_RETURN(std::vector<int32_t> labels,
                      ReadTeacherLabels(path, pictures.count(), student.classes,
                                        HashOfPictures(pictures)));
  return std::make_unique<WrittenTeacher>(std::move(labels), student.classes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Teacher>> LoadTeacher(
    const std::string& path, const ModelConfig& student,
    const TeacherOptions& options) {
  if (path.empty()) return nullptr;
  if (absl::EndsWith(path, ".pt")) {
    return LoadScriptTeacher(path, student, options);
  }
  if (absl::EndsWith(path, ".safetensors") && options.pictures != nullptr) {
    return LoadAnswers(path, student, *options.pictures);
  }
  if (!std::filesystem::is_directory(path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        ": a teacher is a model folder, a TorchScript file (.pt) or a "
        "file of answers (.safetensors)"));
  }
  return LoadFolder(path, student, options.device);
}

absl::StatusOr<std::vector<int32_t>> AskTeacher(const Teacher& teacher,
                                                const PictureSource& pictures,
                                                BrokenPictures* broken,
                                                LoaderOptions loader,
                                                at::Device device) {
  const int64_t count = pictures.count();
  loader.augment.reset();
  loader.first_step = 0;
  loader.end_step = (count + kAskedAtOnce - 1) / kAskedAtOnce;
  Loader batches(&pictures, broken, loader, InOrder(count, kAskedAtOnce));
  const at::NoGradGuard no_grad;
  std::vector<int32_t> answers;
  for (int64_t step = 0; step < loader.end_step; ++step) {
    GM_ASSIGN_OR_RETURN(const LoadedBatch loaded, batches.Next());
    const at::Tensor labels =
        teacher.Targets(MakeBatch(loaded, loader.input, device))
            .argmax(1)
            .cpu();
    for (size_t i = 0; i < loaded.labels.size(); ++i) {
      answers.push_back(loaded.labels[i] < 0
                            ? pictures.label(loaded.pictures[i])
                            : labels[static_cast<int64_t>(i)].item<int>());
    }
  }
  return answers;
}

}  // namespace groupmamba::training
