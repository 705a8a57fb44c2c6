// A safetensors file. Of what is accepted, every tensor lies in the file and
// has the bytes that its shape needs.

#include <cstdlib>
#include <vector>

#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = groupmamba::SafetensorsFile::Parse(
      std::vector<uint8_t>(data, data + size));
  if (!file.ok()) return 0;
  for (const auto& [name, tensor] : file->tensors()) {
    int64_t bytes = groupmamba::DTypeSize(tensor.dtype);
    for (const int64_t dimension : tensor.shape) bytes *= dimension;
    if (bytes != static_cast<int64_t>(tensor.bytes.size())) std::abort();
    groupmamba::AllFinite(tensor);
  }
  return 0;
}
