#include "model/device/ops.h"

#include <algorithm>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/bmm.h"
#include "ATen/ops/constant_pad_nd.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/stack.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "c10/util/Exception.h"

namespace groupmamba::device {
namespace {

constexpr float kOutNormEpsilon = 1e-5f;

// The pointers of a contiguous tensor that the kernels get.
const float* Floats(const at::Tensor& x) {
  return x.defined() ? x.const_data_ptr<float>() : nullptr;
}

// [batch, tokens, row] in the device's storage.
void CheckTokens(const Device& device, const at::Tensor& x) {
  TORCH_CHECK(x.dim() == 3 && x.is_contiguous() && x.device() == device.place &&
                  x.scalar_type() == device.type,
              "tokens are contiguous, on the device, in its storage");
}

int Int(int64_t value) { return static_cast<int>(value); }

}  // namespace

ChannelLayout LayoutOf(int64_t channels) {
  const int width = Int(channels / kGroups);
  return {kGroups, width, cuda::PaddedGroupWidth(width)};
}

ChannelLayout OneGroup(const ChannelLayout& layout) {
  return {1, layout.width, layout.padded};
}

ChannelLayout HiddenLayout(int64_t hidden) {
  return {1, Int(hidden), Int((hidden + 7) / 8 * 8)};
}

at::Tensor Pad(const at::Tensor& x, int64_t dim, const ChannelLayout& layout) {
  const at::Tensor last = x.movedim(dim, -1);
  return at::constant_pad_nd(last.unflatten(-1, {layout.groups, layout.width}),
                             {0, layout.padded - layout.width})
      .flatten(-2)
      .movedim(-1, dim)
      .contiguous();
}

at::Tensor Unpad(const at::Tensor& x, const ChannelLayout& layout) {
  return x.unflatten(-1, {layout.groups, layout.padded})
      .narrow(-1, 0, layout.width)
      .flatten(-2);
}

Normalise::Normalise(const InputConfig& input) {
  for (int c = 0; c < 3; ++c) {
    scale[c] = 1 / (255 * input.std[c]);
    shift[c] = -input.mean[c] / input.std[c];
  }
}

at::Tensor Normalise::operator()(const Device& device,
                                 const at::Tensor& pictures) const {
  TORCH_CHECK(pictures.dim() == 4 && pictures.size(3) == 3 &&
                  pictures.is_contiguous() && pictures.device() == device.place,
              "pictures are [batch, height, width, 3] on the device");
  const at::Tensor out =
      at::empty(pictures.sizes(), pictures.options().dtype(device.type));
  cuda::NormaliseArguments arguments;
  arguments.count = pictures.numel();
  std::copy_n(scale, 3, arguments.scale);
  std::copy_n(shift, 3, arguments.shift);
  arguments.from = pictures.const_data_ptr<uint8_t>();
  arguments.out = out.mutable_data_ptr();
  CheckLaunch(
      device.kernels->normalise(arguments, device.storage(), device.stream()),
      "Normalise");
  return out.permute({0, 3, 1, 2});
}

Norm::Norm(const Device& device, const ParameterScope& scope,
           const ChannelLayout& layout, double epsilon, const at::Tensor& shift)
    : layout(layout),
      epsilon(static_cast<float>(epsilon)),
      weight(device.Parameter(Pad(scope.Get("weight"), 0, layout))),
      bias(device.Parameter(Pad(scope.Get("bias"), 0, layout))),
      shift(shift.defined() ? device.Parameter(shift) : at::Tensor()) {}

at::Tensor Norm::operator()(const Device& device, const at::Tensor& x,
                            at::Tensor* sums, at::Tensor out) const {
  CheckTokens(device, x);
  if (!out.defined()) out = at::empty_like(x);
  const int64_t batch = x.size(0), tokens = x.size(1);
  if (sums != nullptr) {
    *sums = at::empty({batch, cuda::LayerNormParts(Int(tokens)), x.size(2)},
                      x.options().dtype(at::kFloat));
  }
  const cuda::LayerNormArguments arguments = {
      Int(batch),
      Int(tokens),
      layout,
      epsilon,
      x.const_data_ptr(),
      Floats(shift),
      Floats(weight),
      Floats(bias),
      out.mutable_data_ptr(),
      sums != nullptr ? sums->mutable_data_ptr<float>() : nullptr};
  CheckLaunch(
      device.kernels->layer_norm(arguments, device.storage(), device.stream()),
      "LayerNorm");
  return out;
}

at::Tensor GatedNorm(const Device& device, const Norm& norm,
                     const at::Tensor& y, const at::Tensor& x,
                     const at::Tensor& scale, int64_t batch) {
  TORCH_CHECK(y.is_contiguous() && y.size(0) == norm.layout.groups,
              "planar groups");
  const int64_t tokens = y.size(1) / batch;
  const at::Tensor out =
      at::empty({batch, tokens, norm.layout.row()}, y.options());
  if (x.defined()) CheckTokens(device, x);
  const cuda::GatedNormArguments arguments = {
      batch,
      tokens,
      norm.layout,
      norm.epsilon,
      y.const_data_ptr(),
      x.defined() ? x.const_data_ptr() : nullptr,
      Floats(scale),
      Floats(norm.weight),
      Floats(norm.bias),
      out.mutable_data_ptr()};
  CheckLaunch(
      device.kernels->gated_norm(arguments, device.storage(), device.stream()),
      "GatedNorm");
  return out;
}

Affinity::Affinity(const Device& device, const ParameterScope& scope,
                   const ChannelLayout& layout) {
  const Linear fc1(scope / "fc1"), fc2(scope / "fc2");
  weight1 = device.Parameter(Pad(fc1.weight, 1, layout));
  bias1 = device.Parameter(fc1.bias);
  weight2 = device.Parameter(Pad(fc2.weight, 0, layout).t());
  bias2 = device.Parameter(Pad(fc2.bias, 0, layout));
}

at::Tensor Affinity::operator()(const Device& device, const at::Tensor& sums,
                                int64_t tokens) const {
  const at::Tensor out =
      at::empty({sums.size(0), sums.size(2)}, sums.options());
  const cuda::AffinityArguments arguments = {Int(sums.size(0)),
                                             Int(sums.size(1)),
                                             Int(tokens),
                                             Int(sums.size(2)),
                                             Int(bias1.size(0)),
                                             Floats(sums),
                                             Floats(weight1),
                                             Floats(bias1),
                                             Floats(weight2),
                                             Floats(bias2),
                                             out.mutable_data_ptr<float>()};
  CheckLaunch(device.kernels->affinity(arguments, device.stream()), "Affinity");
  return out;
}

at::Tensor TokenMean(const Device& device, const at::Tensor& x) {
  CheckTokens(device, x);
  const at::Tensor out =
      at::empty({x.size(0), 1, x.size(2)}, x.options().dtype(at::kFloat));
  const cuda::TokenMeanArguments arguments = {
      Int(x.size(0)), Int(x.size(1)), Int(x.size(2)), x.const_data_ptr(),
      out.mutable_data_ptr<float>()};
  CheckLaunch(
      device.kernels->token_mean(arguments, device.storage(), device.stream()),
      "TokenMean");
  return out;
}

GroupedSs2d::GroupedSs2d(const Device& device, const ParameterScope& scope,
                         const char* prefix, const char* suffix,
                         const BlockSpec& spec, const ChannelLayout& layout,
                         const at::Tensor& factor) {
  const ChannelLayout group = OneGroup(layout);
  shape_.group_width = layout.width;
  std::copy(spec.directions.begin(), spec.directions.end(), shape_.directions);
  std::vector<at::Tensor> inputs, outputs;
  at::Tensor packed;
  for (int g = 0; g < kGroups; ++g) {
    const ParameterScope at = scope / absl::StrCat(prefix, g + 1, suffix);
    const auto get = [&at](absl::string_view module, const char* name) {
      return (module.empty() ? at : at / module).Get(name).contiguous();
    };
    const at::Tensor input = get("in_proj", "weight");  // [2 d, d]
    inputs.push_back(
        Pad(Pad(input, 1, group), 0, {2, layout.width, layout.padded}).t());
    at::Tensor output = get("out_proj", "weight");  // [d, d]
    if (factor.defined()) output = output * factor;
    outputs.push_back(Pad(Pad(output, 1, group), 0, group).t());

    const at::Tensor x_proj = get("", "x_proj_weight");
    const at::Tensor parts[] = {get("conv2d", "weight"),
                                get("conv2d", "bias"),
                                x_proj,
                                get("", "dt_projs_weight"),
                                get("", "dt_projs_bias"),
                                get("", "A_logs"),
                                get("", "Ds"),
                                get("out_norm", "weight"),
                                get("out_norm", "bias")};
    shape_.rank = Int(x_proj.size(1)) - 2;
    if (!packed.defined()) {
      packed = at::zeros({Int(cuda::PackedSs2dFloats(shape_))});
    }
    cuda::PackSs2dParameters(
        shape_, g,
        {Floats(parts[0]), Floats(parts[1]), Floats(parts[2]), Floats(parts[3]),
         Floats(parts[4]), Floats(parts[5]), Floats(parts[6]), Floats(parts[7]),
         Floats(parts[8])},
        packed.mutable_data_ptr<float>());
  }
  input_ = device.Operand(at::stack(inputs));
  output_ = device.Operand(at::stack(outputs));
  parameters_ = device.Parameter(packed);
}

at::Tensor GroupedSs2d::operator()(const Device& device, const at::Tensor& x,
                                   int64_t batch, Grid grid) const {
  const at::Tensor xz = at::bmm(x, input_).contiguous();
  const at::Tensor y = at::empty_like(x, at::MemoryFormat::Contiguous);
  cuda::Ss2dShape shape = shape_;
  shape.batch = Int(batch);
  shape.height = Int(grid.height);
  shape.width = Int(grid.width);
  const cuda::Ss2dPlan plan = cuda::PlanSs2d(
      shape, device.storage(), /*segments=*/0, device.multiprocessors);
  TORCH_CHECK(plan.segments > 0, "the SS2D core is not made for this shape");
  const auto bytes = static_cast<int64_t>(cuda::Ss2dScratchBytes(shape, plan));
  if (scratch_.empty() || scratch_.back().numel() < bytes) {
    scratch_.push_back(at::zeros({bytes}, x.options().dtype(at::kByte)));
  }
  CheckLaunch(
      device.kernels->ss2d_core(
          shape, plan, device.storage(), kOutNormEpsilon, xz.const_data_ptr(),
          Floats(parameters_), scratch_.back().mutable_data_ptr(),
          y.mutable_data_ptr(), /*states=*/nullptr, device.stream()),
      "Ss2dCore");
  return y;
}

DepthwiseGelu::DepthwiseGelu(const Device& device, const ParameterScope& scope,
                             const ChannelLayout& layout)
    : weight(
          device.Parameter(Pad(scope.Get("weight").flatten(1), 0, layout).t())),
      bias(device.Parameter(Pad(scope.Get("bias"), 0, layout))) {}

at::Tensor DepthwiseGelu::operator()(const Device& device, const at::Tensor& x,
                                     Grid grid) const {
  CheckTokens(device, x);
  const at::Tensor out = at::empty_like(x);
  const cuda::DepthwiseGeluArguments arguments = {
      Int(x.size(0)), Int(grid.height),      Int(grid.width),
      Int(x.size(2)), x.const_data_ptr(),    Floats(weight),
      Floats(bias),   out.mutable_data_ptr()};
  const cuda::DepthwisePlan plan =
      cuda::PlanDepthwise(arguments, device.storage(), device.multiprocessors);
  CheckLaunch(device.kernels->depthwise_gelu(arguments, plan, device.storage(),
                                             device.stream()),
              "DepthwiseGelu");
  return out;
}

}  // namespace groupmamba::device
