#include "model/training/parameters.h"

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "ATen/CPUGeneratorImpl.h"
#include "ATen/Functions.h"
#include "ATen/TensorOperators.h"
#include "ATen/core/grad_mode.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "model/manifest.h"

namespace groupmamba::training {
namespace {

constexpr int64_t kAlignment = 16;  // floats: one cache line

// A tensor of its own over a part of flat's memory. Not a view for autograd,
// which must see a leaf.
at::Tensor Window(const at::Tensor& flat, int64_t offset,
                  const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * shape[i];
  }
  return at::empty({0}, flat.options())
      .set_(flat.storage(), offset, shape, strides);
}

bool IsDecayed(const ParameterSpec& spec) {
  return spec.shape.size() > 1 && absl::EndsWith(spec.name, "weight");
}

// Where a tensor lies: in which of the flat ones, from where.
struct Place {
  const ParameterSpec* spec;
  at::Tensor Parameters::*flat;
  at::Tensor Parameters::*gradient;  // nullptr: not trained
  int64_t offset;
};

int64_t Elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1},
                         std::multiplies<>());
}

void InitializeOne(absl::string_view name, const at::Generator& generator,
                   at::Tensor* tensor) {
  if (absl::EndsWith(name, "dt_projs_bias")) {
    const at::Tensor delta =
        at::empty_like(*tensor)
            .uniform_(std::log(1e-3), std::log(1e-1), generator)
            .exp_();
    // The inverse of softplus.
    tensor->copy_(delta + at::log(-at::expm1(-delta)));
  } else if (absl::EndsWith(name, "A_logs") || absl::EndsWith(name, "bias") ||
             absl::EndsWith(name, "running_mean")) {
    tensor->zero_();
  } else if (absl::EndsWith(name, "weight") && tensor->dim() > 1) {
    // x_proj_weight and dt_projs_weight are [1, out, in] and [1, out, in].
    const int64_t fan_in = tensor->dim() == 3
                               ? tensor->size(2)
                               : tensor->numel() / tensor->size(0);
    // A convolution is followed by a rectifier, which halves the variance.
    const double gain = tensor->dim() == 4 ? 2 : 1;
    tensor->normal_(0, std::sqrt(gain / static_cast<double>(fan_in)),
                    generator);
  } else {
    tensor->fill_(1);  // norms, running_var, Ds, skip_scale
  }
}

}  // namespace

Parameters MakeParameters(const ModelConfig& config, bool trained,
                          at::Device device) {
  const std::vector<ParameterSpec> specs = ListParameters(config);
  std::vector<Place> places;
  int64_t decayed_size = 0, plain_size = 0, buffers_size = 0;
  for (const ParameterSpec& spec : specs) {
    if (spec.kind == ParameterSpec::Kind::kCounter) {
      continue;
    }
    const int64_t space =
        (Elements(spec.shape) + kAlignment - 1) / kAlignment * kAlignment;
    if (spec.kind == ParameterSpec::Kind::kBuffer) {
      places.push_back({&spec, &Parameters::buffers, nullptr, buffers_size});
      buffers_size += space;
    } else if (IsDecayed(spec)) {
      places.push_back({&spec, &Parameters::decayed,
                        &Parameters::decayed_gradient, decayed_size});
      decayed_size += space;
    } else {
      places.push_back(
          {&spec, &Parameters::plain, &Parameters::plain_gradient, plain_size});
      plain_size += space;
    }
  }

  Parameters parameters;
  parameters.decayed = at::zeros({decayed_size}, device);
  parameters.plain = at::zeros({plain_size}, device);
  parameters.buffers = at::zeros({buffers_size}, device);
  if (trained) {
    parameters.decayed_gradient = at::zeros({decayed_size}, device);
    parameters.plain_gradient = at::zeros({plain_size}, device);
  }
  for (const Place& place : places) {
    at::Tensor tensor =
        Window(parameters.*place.flat, place.offset, place.spec->shape);
    if (trained && place.gradient != nullptr) {
      tensor.requires_grad_(true);
      // Backward adds to a gradient that is there, in place.
      tensor.mutable_grad() =
          Window(parameters.*place.gradient, place.offset, place.spec->shape);
    }
    parameters.by_name.emplace(place.spec->name, std::move(tensor));
  }
  return parameters;
}

void Initialize(uint64_t seed, Parameters* parameters) {
  const at::NoGradGuard no_grad;
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  for (auto& [name, tensor] : parameters->by_name) {
    at::Tensor values = at::empty(tensor.sizes());
    InitializeOne(name, generator, &values);
    tensor.copy_(values);
  }
}

}  // namespace groupmamba::training
