// What `models` and `metadata` print. Pure functions.

#ifndef GROUPMAMBA_CLIENT_MODELS_OUTPUT_H_
#define GROUPMAMBA_CLIENT_MODELS_OUTPUT_H_

#include <string>

#include "client/json.h"
#include "proto/groupmamba/v1/classifier.pb.h"

namespace groupmamba::client {

// {"name", "version", "state", "classes", "input_height", "input_width",
// "resize", "precision", "device", "parameters"}; sizes in pixels.
Json ModelJson(const v1::ModelInfo& model);

// One row a model under a row of headings.
std::string ModelsTable(const v1::ListModelsResponse& response);

// One line a property.
std::string MetadataText(const v1::GetModelResponse& response);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_MODELS_OUTPUT_H_
