// Every tensor that a model of a given configuration consists of: the names of the
// state dict, as released (tests/data/golden/*.keys.json) or, for the paper form, as
// listed in manifest.cc. Torch-free.

#ifndef GROUPMAMBA_MODEL_MANIFEST_H_
#define GROUPMAMBA_MODEL_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"

namespace groupmamba {

struct ParameterSpec {
  enum class Kind {
    kParameter,  // fp32, trained
    kBuffer,     // fp32, running statistics of a batch norm
    kCounter,    // int64 scalar, num_batches_tracked; not needed to run
  };

  std::string name;
  std::vector<int64_t> shape;  // empty: a scalar
  Kind kind = Kind::kParameter;
};

// In the order of the released state dict.
std::vector<ParameterSpec> ListParameters(const ModelConfig& config);

// How many numbers are trained; counters and buffers do not count.
int64_t CountParameters(const ModelConfig& config);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_MANIFEST_H_
