#include "model/training/checkpoint.h"

#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "model/safetensors.h"

namespace groupmamba::training {
namespace {

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

absl::StatusOr<std::string> Entry(const SafetensorsFile& file,
                                  const std::string& path,
                                  const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) {
    return Damaged(path, absl::StrCat("no ", key, "; not a checkpoint"));
  }
  return found->second;
}

absl::StatusOr<RunProgress> ReadProgress(const SafetensorsFile& file,
                                         const std::string& path) {
  RunProgress progress;
  GM_ASSIGN_OR_RETURN(const std::string steps, Entry(file, path, "steps"));
  GM_ASSIGN_OR_RETURN(const std::string loss_sum,
                      Entry(file, path, "loss_sum"));
  GM_ASSIGN_OR_RETURN(const std::string seconds, Entry(file, path, "seconds"));
  if (!absl::SimpleAtoi(steps, &progress.steps) || progress.steps < 0 ||
      !absl::SimpleAtod(loss_sum, &progress.loss_sum) ||
      !absl::SimpleAtod(seconds, &progress.seconds)) {
    return Damaged(path, "its numbers cannot be read");
  }
  return progress;
}

absl::Status CheckTensors(const SafetensorsFile& file, const std::string& path,
                          const std::map<std::string, at::Tensor>& state) {
  if (file.tensors().size() != state.size()) {
    return Damaged(path, "other tensors than this run's");
  }
  for (const auto& [name, tensor] : state) {
    const auto found = file.tensors().find(name);
    if (found == file.tensors().end() || found->second.dtype != DType::kF32 ||
        found->second.shape != tensor.sizes().vec()) {
      return Damaged(path, absl::StrCat("no ", name, " of the right shape"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteCheckpoint(const std::string& path,
                             const std::string& settings,
                             const RunProgress& progress,
                             const std::map<std::string, at::Tensor>& state) {
  return WriteTensors(
             path, state,
             {{"settings", settings},
              {"steps", absl::StrCat(progress.steps)},
              // 17 digits: the same double when read back.
              {"loss_sum", absl::StrFormat("%.17g", progress.loss_sum)},
              {"seconds", absl::StrFormat("%.17g", progress.seconds)}})
      .status();
}

absl::StatusOr<RunProgress> ReadCheckpoint(
    const std::string& path, const std::string& settings,
    const std::map<std::string, at::Tensor>& state) {
  GM_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Read(path));
  GM_ASSIGN_OR_RETURN(const std::string theirs, Entry(file, path, "settings"));
  if (theirs != settings) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": belongs to a run with other settings.\n  there: ", theirs,
        "\n  here:  ", settings));
  }
  GM_ASSIGN_OR_RETURN(const RunProgress progress, ReadProgress(file, path));
  GM_RETURN_IF_ERROR(CheckTensors(file, path, state));
  for (const auto& [name, tensor] : state) {
    const absl::Span<const uint8_t> bytes = file.tensors().at(name).bytes;
    std::memcpy(tensor.mutable_data_ptr<float>(), bytes.data(), bytes.size());
  }
  return progress;
}

absl::StatusOr<std::string> WriteTensors(
    const std::string& path, const std::map<std::string, at::Tensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::map<std::string, TensorBytes> bytes;
  for (const auto& [name, tensor] : tensors) {
    bytes[name] = {.dtype = DType::kF32,
                   .shape = tensor.sizes().vec(),
                   .bytes = {reinterpret_cast<const uint8_t*>(
                                 tensor.const_data_ptr<float>()),
                             static_cast<size_t>(tensor.nbytes())}};
  }
  return WriteSafetensors(path, bytes, metadata);
}

}  // namespace groupmamba::training
