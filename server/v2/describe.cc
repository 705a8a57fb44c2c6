#include "server/v2/describe.h"

#include <chrono>
#include <vector>

#include "server/v2/parameters.h"

namespace groupmamba::v2 {
namespace {

constexpr char kPlatform[] = "groupmamba";

void DescribeTensor(const char* name, const char* datatype,
                    const std::vector<int64_t>& dims,
                    inference::ModelMetadataResponse::TensorMetadata* tensor) {
  tensor->set_name(name);
  tensor->set_datatype(datatype);
  tensor->add_shape(-1);  // the batch
  for (int64_t dim : dims) tensor->add_shape(dim);
}

// The state of batching, as far as V2 has words for it.
void DescribeQueue(const ServingLimits& limits,
                   inference::ModelDynamicBatching* batching) {
  batching->set_priority_levels(kPriorityLevels);
  batching->set_default_priority_level(kDefaultPriorityLevel);
  inference::ModelQueuePolicy* policy =
      batching->mutable_default_queue_policy();
  policy->set_timeout_action(inference::ModelQueuePolicy::REJECT);
  policy->set_default_timeout_microseconds(
      std::chrono::duration_cast<std::chrono::microseconds>(
          limits.default_deadline)
          .count());
  policy->set_allow_timeout_override(true);
  policy->set_max_queue_size(limits.max_waiting);
}

}  // namespace

void Describe(const std::string& server_version,
              inference::ServerMetadataResponse* response) {
  response->set_name("groupmamba-serve");
  response->set_version(server_version);
  for (const char* extension :
       {"classification", "model_repository", "schedule_policy",
        "model_configuration", "binary_tensor_data", "parameters",
        "statistics"}) {
    response->add_extensions(extension);
  }
}

void Describe(const ModelView& view,
              inference::ModelMetadataResponse* response) {
  response->set_name(view.name());
  response->add_versions(view.version());
  response->set_platform(kPlatform);
  DescribeTensor(view.input_name(), view.datatype(), view.dims(),
                 response->add_inputs());
  DescribeTensor(kOutput, "FP32", {view.model->folder().config.classes},
                 response->add_outputs());
}

void Describe(const ModelView& view, const ServingLimits& limits,
              inference::ModelConfig* config) {
  config->set_name(view.name());
  config->set_platform(kPlatform);
  config->set_backend(kPlatform);
  config->set_max_batch_size(limits.max_batch);
  inference::ModelInput* input = config->add_input();
  input->set_name(view.input_name());
  if (view.kind == InputKind::kEncoded) {
    input->set_data_type(inference::TYPE_STRING);
  } else {
    input->set_data_type(inference::TYPE_UINT8);
    input->set_format(inference::ModelInput::FORMAT_NHWC);
  }
  for (int64_t dim : view.dims()) input->add_dims(dim);
  inference::ModelOutput* output = config->add_output();
  output->set_name(kOutput);
  output->set_data_type(inference::TYPE_FP32);
  output->add_dims(view.model->folder().config.classes);
  output->set_label_filename("labels.txt");
  DescribeQueue(limits, config->mutable_dynamic_batching());
  config->mutable_model_transaction_policy()->set_decoupled(false);
}

void Describe(const ModelView& view,
              inference::RepositoryIndexResponse::ModelIndex* index) {
  index->set_name(view.name());
  index->set_version(view.version());
  switch (view.model->state()) {
    case ServedModel::State::kLoading:
      index->set_state("LOADING");
      return;
    case ServedModel::State::kReady:
      index->set_state("READY");
      return;
    case ServedModel::State::kFailed:
      index->set_state("UNAVAILABLE");
      index->set_reason("it could not be loaded");
      return;
  }
}

}  // namespace groupmamba::v2
