#include "model/weights.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "model/file.h"
#include "model/manifest.h"
#include "model/sha256.h"
#include "model/strict_json.h"

namespace groupmamba {
namespace {

std::string FormatShape(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::Status CheckTensor(const ParameterSpec& spec, const TensorBytes& tensor) {
  const auto failed = [&](auto... what) {
    return absl::FailedPreconditionError(
        absl::StrCat("tensor \"", spec.name, "\" ", what...));
  };
  if (tensor.dtype != DType::kF32) {
    return failed("is ", DTypeName(tensor.dtype), ", not F32");
  }
  if (tensor.shape != spec.shape) {
    return failed("has shape ", FormatShape(tensor.shape), ", not ",
                  FormatShape(spec.shape));
  }
  if (!AllFinite(tensor)) return failed("holds an infinity or NaN");
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsFile> ReadChecked(const std::string& path,
                                            const ModelConfig& config) {
  const SafetensorsLimits limits;
  GM_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes,
                      ReadRegularFile(path, limits.max_file_bytes));
  const std::string sha256 = Sha256Hex(bytes);
  if (sha256 != config.weights_sha256) {
    return absl::FailedPreconditionError(
        absl::StrCat("SHA-256 is ", sha256, ", the configuration says ",
                     config.weights_sha256));
  }
  GM_ASSIGN_OR_RETURN(SafetensorsFile file,
                      SafetensorsFile::Parse(std::move(bytes), limits));
  GM_RETURN_IF_ERROR(CheckWeights(file, config));
  return file;
}

}  // namespace

absl::Status CheckWeights(const SafetensorsFile& file,
                          const ModelConfig& config) {
  std::set<std::string> known;
  for (const ParameterSpec& spec : ListParameters(config)) {
    known.insert(spec.name);
    if (spec.kind == ParameterSpec::Kind::kCounter) continue;
    const auto found = file.tensors().find(spec.name);
    if (found == file.tensors().end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("tensor \"", spec.name, "\" is missing"));
    }
    GM_RETURN_IF_ERROR(CheckTensor(spec, found->second));
  }
  for (const auto& [name, tensor] : file.tensors()) {
    if (!known.contains(name)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "tensor ", QuoteForMessage(name), " is not part of such a model"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsFile> ReadWeights(const ModelFolder& model) {
  const std::string path =
      absl::StrCat(model.path, "/", model.config.weights_file);
  absl::StatusOr<SafetensorsFile> file = ReadChecked(path, model.config);
  if (file.ok()) return file;
  return InFile(path, absl::FailedPreconditionError(file.status().message()));
}

}  // namespace groupmamba
