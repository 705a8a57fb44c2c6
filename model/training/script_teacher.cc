#include "model/training/script_teacher.h"

#include <utility>
#include <vector>

#include "ATen/Functions.h"
#include "ATen/TensorOperators.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "torch/csrc/jit/api/module.h"
#include "torch/csrc/jit/serialization/import.h"

namespace groupmamba::training {
namespace {

at::Tensor Channels(const std::array<float, 3>& values) {
  return at::tensor(at::ArrayRef<float>(values.data(), values.size()))
      .view({1, 3, 1, 1});
}

// The mean of a tuple's tensors, or the only one; undefined for anything else.
at::Tensor LogitsOf(const c10::IValue& answer) {
  if (answer.isTensor()) return answer.toTensor();
  if (!answer.isTuple() || answer.toTupleRef().elements().empty()) return {};
  std::vector<at::Tensor> heads;
  for (const c10::IValue& head : answer.toTupleRef().elements()) {
    if (!head.isTensor()) return {};
    heads.push_back(head.toTensor());
  }
  return at::stack(heads).mean(0);
}

class ScriptTeacher final : public Teacher {
 public:
  // The student's normalised pictures become the teacher's by one product and
  // one sum.
  ScriptTeacher(torch::jit::Module module, const ModelConfig& student,
                const TeacherOptions& options)
      : module_(std::move(module)),
        classes_(student.classes),
        side_(options.side == 0 ? student.input.crop : options.side),
        scale_((Channels(student.input.std) / Channels(options.std))
                   .to(options.device)),
        shift_(((Channels(student.input.mean) - Channels(options.mean)) /
                Channels(options.std))
                   .to(options.device)) {}

  at::Tensor Targets(const Batch& batch) const override {
    const at::Tensor labels = Logits(batch.images).argmax(1);
    return SoftTargets(labels, classes_, /*smoothing=*/0, /*share=*/1);
  }

  at::Tensor Logits(const at::Tensor& images) const {
    at::Tensor x = images * scale_ + shift_;
    if (x.size(2) != side_) {
      x = at::upsample_bicubic2d(x, {side_, side_}, /*align_corners=*/false);
    }
    return LogitsOf(module_.forward({x.contiguous()}));
  }

 private:
  mutable torch::jit::Module module_;  // forward is not const
  const int64_t classes_;
  const int64_t side_;
  const at::Tensor scale_;
  const at::Tensor shift_;
};

absl::Status Wrong(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Teacher>> LoadScriptTeacher(
    const std::string& path, const ModelConfig& student,
    const TeacherOptions& options) {
  try {
    torch::jit::Module module = torch::jit::load(path, options.device);
    module.eval();
    auto teacher =
        std::make_unique<ScriptTeacher>(std::move(module), student, options);
    const at::NoGradGuard no_grad;
    const int side = student.input.crop;
    const at::Tensor logits =
        teacher->Logits(at::zeros({1, 3, side, side}, options.device));
    if (!logits.defined() ||
        logits.sizes() != at::IntArrayRef({1, student.classes})) {
      return Wrong(
          path, absl::StrCat(
                    "does not answer [1, ", student.classes,
                    "] for one picture, as the student's classes "
                    "need",
                    logits.defined()
                        ? absl::StrCat(", but [",
                                       absl::StrJoin(logits.sizes(), ", "), "]")
                        : ""));
    }
    return teacher;
  } catch (const c10::Error& error) {
    return Wrong(path, absl::StrCat("is not a TorchScript file that can be "
                                    "run: ",
                                    error.what_without_backtrace()));
  } catch (const std::exception& error) {  // what TorchScript's code throws
    return Wrong(path, error.what());
  }
}

}  // namespace groupmamba::training
