#include "model/tensors.h"

#include <cstring>

#include "ATen/ops/empty.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/manifest.h"

namespace groupmamba {
namespace {

at::Tensor CopyOf(const void* values, const std::vector<int64_t>& shape) {
  const at::Tensor tensor = at::empty(shape, at::kFloat);
  std::memcpy(tensor.mutable_data_ptr<float>(), values, tensor.nbytes());
  return tensor;
}

}  // namespace

TensorMap TensorsOf(const SafetensorsFile& file) {
  TensorMap tensors;
  for (const auto& [name, tensor] : file.tensors()) {
    if (tensor.dtype != DType::kF32) continue;
    tensors.emplace(name, CopyOf(tensor.bytes.data(), tensor.shape));
  }
  return tensors;
}

absl::StatusOr<TensorMap> TensorsOf(
    const ModelConfig& config,
    const std::map<std::string, std::vector<float>>& values) {
  TensorMap tensors;
  for (const ParameterSpec& spec : ListParameters(config)) {
    if (spec.kind == ParameterSpec::Kind::kCounter) continue;
    int64_t elements = 1;
    for (const int64_t dimension : spec.shape) elements *= dimension;
    const auto found = values.find(spec.name);
    if (found == values.end() ||
        static_cast<int64_t>(found->second.size()) != elements) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tensor ", spec.name, " does not have ", elements, " values"));
    }
    tensors.emplace(spec.name, CopyOf(found->second.data(), spec.shape));
  }
  return tensors;
}

}  // namespace groupmamba
