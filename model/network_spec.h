// Internal: builds a network from an altered specification, so that tests can
// prove that the goldens notice. Everyone else calls Network::Create.

#ifndef GROUPMAMBA_MODEL_NETWORK_SPEC_H_
#define GROUPMAMBA_MODEL_NETWORK_SPEC_H_

#include <memory>

#include "absl/status/statusor.h"
#include "model/block.h"
#include "model/config.h"
#include "model/network.h"

namespace groupmamba {

// As Network::Create, which passes SpecOf(config.block).
absl::StatusOr<std::unique_ptr<Network>> CreateNetwork(
    const ModelConfig& config, const BlockSpec& spec, const TensorMap& tensors);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_NETWORK_SPEC_H_
