// The paper form in double precision, slow and obvious: the equations of
// docs/architecture.md as loops over plain vectors. No LibTorch, and no code of
// model/ but the configuration's type.

#ifndef GROUPMAMBA_TESTS_REFERENCE_PAPER_ORACLE_H_
#define GROUPMAMBA_TESTS_REFERENCE_PAPER_ORACLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/config.h"

namespace groupmamba::reference {

// By name of the state dict, row-major (model/manifest.h).
using Weights = std::map<std::string, std::vector<float>>;

// Logits [batch, classes] of pictures [batch, 3, height, width].
std::vector<double> PaperLogits(const ModelConfig& config,
                                const Weights& weights,
                                const std::vector<float>& pictures,
                                int64_t batch, int64_t height, int64_t width);

}  // namespace groupmamba::reference

#endif  // GROUPMAMBA_TESTS_REFERENCE_PAPER_ORACLE_H_
