#include "tests/model/device/forward_cost.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <utility>

#include "ATen/record_function.h"
#include "c10/core/InferenceMode.h"
#include "tests/kernels/cuda/executor_kernels.h"

namespace groupmamba::testing {
namespace {

// Operators that make tensors and launch nothing.
const std::set<std::string>& Free() {
  static const std::set<std::string> names = {"aten::empty",
                                              "aten::empty_like"};
  return names;
}

// Launches of each operator that we call.
const std::map<std::string, int>& Launches() {
  static const std::map<std::string, int> launches = {
      {"aten::linear", 1}, {"aten::bmm", 1},  {"aten::addmm_", 1},
      {"aten::conv2d", 1}, {"aten::relu", 1}, {"aten::gelu", 1},
      {"aten::add_", 1}};
  return launches;
}

thread_local std::vector<Launch>* launches_seen = nullptr;
thread_local int64_t batch = 1;
thread_local int depth = 0;

std::vector<at::Tensor> TensorsIn(c10::ArrayRef<const c10::IValue> values) {
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& value : values) {
    if (value.isTensor() && value.toTensor().defined()) {
      tensors.push_back(value.toTensor());
    }
  }
  return tensors;
}

bool SharesMemory(const at::Tensor& a, const at::Tensor& b) {
  return a.storage().data() == b.storage().data();
}

void Count(const std::string& name, const std::vector<at::Tensor>& inputs,
           const at::Tensor& output) {
  if (Free().contains(name)) return;
  const bool in_place = name.back() == '_';
  if (!in_place && !inputs.empty() && SharesMemory(inputs[0], output)) return;
  const auto found = Launches().find(name);
  if (found == Launches().end()) {
    ADD_FAILURE() << name << " is not in the table of forward_cost.cc";
    return;
  }
  Launch launch = {.name = name.substr(6)};
  for (const at::Tensor& input : inputs) {
    launch.bytes += static_cast<int64_t>(input.nbytes());
  }
  const auto written = static_cast<int64_t>(output.nbytes());
  launch.bytes += written;
  if (output.dim() == 4) {  // pictures
    launch.tokens = output.size(2) * output.size(3);
  } else if (name == "aten::linear" && output.dim() == 3) {
    launch.tokens = output.size(1);
  } else {  // [.., batch * tokens, channels]
    launch.tokens = output.size(output.dim() - 2) / batch;
  }
  launch.widens =
      name == "aten::addmm_" && inputs[1].size(1) != inputs[0].size(1);
  if (name == "aten::conv2d" && inputs.size() == 3) {
    launches_seen->push_back({"bias", launch.tokens, 2 * written});
  }
  launches_seen->push_back(std::move(launch));
}

// An operator's inputs, which are there to see only when it begins.
struct Inputs final : at::ObserverContext {
  explicit Inputs(std::vector<at::Tensor> tensors)
      : tensors(std::move(tensors)) {}
  const std::vector<at::Tensor> tensors;
};

std::unique_ptr<at::ObserverContext> Begin(const at::RecordFunction& function) {
  if (depth++ > 0) return nullptr;
  return std::make_unique<Inputs>(TensorsIn(function.inputs()));
}

void End(const at::RecordFunction& function, at::ObserverContext* inputs) {
  if (--depth > 0) return;
  const c10::ArrayRef<c10::IValue> outputs = function.outputs();
  if (outputs.empty() || !outputs[0].isTensor()) return;
  Count(function.name(), static_cast<Inputs*>(inputs)->tensors,
        outputs[0].toTensor());
}

}  // namespace

std::vector<Launch> LaunchesOf(const device::Network& network,
                               const at::Tensor& pictures) {
  const c10::InferenceMode inference;
  LaunchLog log;
  network.Forward(pictures);  // makes the scratch memory
  log.records.clear();
  std::vector<Launch> launches;
  launches_seen = &launches;
  depth = 0;
  batch = pictures.size(0);
  const auto handle =
      at::addThreadLocalCallback(at::RecordFunctionCallback(Begin, End)
                                     .needsInputs(true)
                                     .needsOutputs(true)
                                     .scopes({at::RecordScope::FUNCTION}));
  network.Forward(pictures);
  at::removeCallback(handle);
  for (const LaunchRecord& record : log.records) {
    launches.push_back({record.kernel, record.tokens, record.bytes});
  }
  return launches;
}

}  // namespace groupmamba::testing
