// Every tensor that a model of a given configuration consists of. Torch-free.
//
// The released form has the names of the released state dict
// (tests/data/golden/*.keys.json). The paper form has the same stem
// (patch_embed1), downsampling (patch_embed2..4) and norm1..4 after the stages,
// one `head`, no post_network and no dist_head. Its block <b> = block<s>.<i>,
// of C channels, has four groups <g> = 1..4 (LR, RL, TB, BT) of d = C / 4:
//
//   <b>.vsss_g<g>.norm1     LayerNorm of d
//   <b>.vsss_g<g>.mamba.*   named as the released form's <b>.attn.mamba_g<g>.*
//   <b>.vsss_g<g>.norm2     LayerNorm of d
//   <b>.vsss_g<g>.ffn       fc1 [2d, d] and bias; fc2 [d, 2d] and bias
//   <b>.fc1                 affinity: [max(1, C / 16), C] and bias
//   <b>.fc2                 affinity: [C, max(1, C / 16)] and bias
//   <b>.norm                LayerNorm of C, on X_CAM
//   <b>.mlp                 fc1 [mlp_ratio * C, C] and bias; fc2 back

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

// In the order of the released state dict; the paper form in the order above.
std::vector<ParameterSpec> ListParameters(const ModelConfig& config);

// How many numbers are trained; counters and buffers do not count.
int64_t CountParameters(const ModelConfig& config);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_MANIFEST_H_
