#include "model/device/ss2d_core.h"

#include <algorithm>
#include <cstdint>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/constant_pad_nd.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/zeros.h"
#include "kernels/cuda/ss2d_backward.h"
#include "kernels/cuda/ss2d_core.h"
#include "model/ss2d_call.h"

namespace groupmamba::device {
namespace {

using cuda::kGroups;
using cuda::Ss2dRows;

bool IsSupported(at::ScalarType type) {
  return type == at::kFloat || type == at::kBFloat16;
}

cuda::Ss2dShape ShapeOf(const kernels::Ss2dShape& group, int64_t pictures) {
  cuda::Ss2dShape shape;
  shape.batch = static_cast<int>((pictures + kGroups - 1) / kGroups);
  shape.height = static_cast<int>(group.height);
  shape.width = static_cast<int>(group.width);
  shape.group_width = static_cast<int>(group.channels);
  shape.rank = static_cast<int>(group.rank);
  std::fill_n(shape.directions, kGroups, group.direction);
  return shape;
}

int64_t StatesOfPicture(const cuda::Ss2dShape& shape) {
  return static_cast<int64_t>(cuda::Ss2dStateFloats(shape)) /
         (int64_t{shape.batch} * kGroups);
}

bool IsAligned(const at::Tensor& x) {
  return reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

// What a call comes to for the kernels.
struct Launch {
  Launch(const Device& device, const Ss2dCall& call)
      : device(device),
        pictures(call.xz.size(0)),
        tokens(call.xz.size(1)),
        channels(call.shape.channels),
        shape(ShapeOf(call.shape, pictures)),
        padded(cuda::PaddedGroupWidth(shape.group_width)),
        stored(int64_t{shape.batch} * kGroups) {
    TORCH_CHECK(pictures > 0, "ss2d_core: there is no picture");
    TORCH_CHECK(call.xz.scalar_type() == device.type &&
                    call.xz.device() == device.place,
                "ss2d_core: xz must be ", device.type, " on ", device.place,
                ", not ", call.xz.scalar_type(), " on ", call.xz.device());
    TORCH_CHECK(CoreStates(call.shape, device.type) > 0,
                "ss2d_core: the kernels are not made for ", channels,
                " channels of rank ", shape.rank, " on ", shape.height, " x ",
                shape.width, " tokens");
  }

  // What the backward pass has besides: the result's gradient, and states.
  void CheckGradient(const at::Tensor& gradient,
                     const at::Tensor& saved) const {
    TORCH_CHECK(
        gradient.sizes() == at::IntArrayRef({pictures, tokens, channels}) &&
            gradient.scalar_type() == device.type &&
            gradient.device() == device.place,
        "ss2d_core: the gradient must be as the result, not ", gradient.sizes(),
        " of ", gradient.scalar_type());
    TORCH_CHECK(
        saved.sizes() == at::IntArrayRef({pictures, StatesOfPicture(shape)}) &&
            saved.scalar_type() == at::kFloat && saved.device() == device.place,
        "ss2d_core: the states must be the forward pass's, not ",
        saved.sizes());
  }

  // [pictures, tokens, halves * d] as the kernels read it: [stored, tokens,
  // halves, padded]; x itself where that is the same.
  at::Tensor Stored(const at::Tensor& x, int64_t halves) const {
    if (pictures == stored && padded == channels && x.is_contiguous() &&
        IsAligned(x)) {
      return x;
    }
    const at::Tensor to =
        at::zeros({stored, tokens, halves, padded}, x.options());
    to.narrow(0, 0, pictures)
        .narrow(3, 0, channels)
        .copy_(x.unflatten(2, {halves, channels}));
    return to;
  }
  at::Tensor EmptyStored(int64_t halves, const at::TensorOptions& like) const {
    return at::empty({stored, tokens, halves, padded}, like);
  }
  at::Tensor StoredStates(const at::Tensor& x) const {
    return pictures == stored
               ? x.contiguous()
               : at::constant_pad_nd(x, {0, 0, 0, stored - pictures});
  }
  // The inverse of Stored.
  at::Tensor Taken(const at::Tensor& x, int64_t halves) const {
    return x.narrow(0, 0, pictures)
        .narrow(3, 0, channels)
        .reshape({pictures, tokens, halves * channels});
  }

  const Device& device;
  const int64_t pictures, tokens, channels;
  const cuda::Ss2dShape shape;
  const int64_t padded;
  const int64_t stored;  // pictures, with those of zeros
};

at::Tensor ZeroScratch(size_t bytes, const at::Tensor& beside) {
  return at::zeros({static_cast<int64_t>(bytes)},
                   beside.options().dtype(at::kByte));
}

// The packed parameters' gradients, summed over the groups, in the state dict's
// shapes. `packed`: the parameters, which give A.
std::vector<at::Tensor> UnpackGradients(const at::Tensor& packed,
                                        const at::Tensor& gradients,
                                        const cuda::Ss2dShape& shape) {
  const int64_t d = shape.group_width, rank = shape.rank;
  const at::Tensor sums = gradients.sum(0).narrow(1, 0, d);
  const auto row = [&](int r, at::IntArrayRef sizes) {
    return sums.select(0, r).clone().view(sizes);
  };
  const int64_t first_rate = Ss2dRows::kRank;
  const int64_t first_delta =
      first_rate + cuda::PaddedRank(cuda::PaddedGroupWidth(shape.group_width));
  const at::Tensor rates = at::cat(
      {sums.narrow(0, first_rate, rank), sums.narrow(0, Ss2dRows::kB, 2)});
  // A = -exp(A_logs) is its own slope.
  const at::Tensor a = packed.select(0, 0).select(0, Ss2dRows::kA);
  return {sums.narrow(0, Ss2dRows::kConvolution, 9).t().reshape({d, 1, 3, 3}),
          row(Ss2dRows::kConvolutionBias, {d}),
          rates.unsqueeze(0),
          sums.narrow(0, first_delta, rank).t().contiguous().unsqueeze(0),
          row(Ss2dRows::kDeltaBias, {1, d}),
          (sums.select(0, Ss2dRows::kA) * a.narrow(0, 0, d)).view({d, 1}),
          row(Ss2dRows::kD, {d}),
          row(Ss2dRows::kNormWeight, {d}),
          row(Ss2dRows::kNormBias, {d})};
}

}  // namespace

int64_t CoreStates(const kernels::Ss2dShape& shape, at::ScalarType type) {
  constexpr int64_t kMost = 1 << 20;  // so that everything is an int
  if (!IsSupported(type) || shape.height > kMost || shape.width > kMost ||
      shape.channels > kMost || shape.rank > kMost) {
    return 0;
  }
  const cuda::Ss2dShape one = ShapeOf(shape, /*pictures=*/1);
  const cuda::Storage storage =
      type == at::kFloat ? cuda::Storage::kFp32 : cuda::Storage::kBf16;
  return cuda::PlanSs2d(one, storage).segments > 0 &&
                 cuda::PlanSs2dBackward(one, storage).segments > 0
             ? StatesOfPicture(one)
             : 0;
}

at::Tensor PackCoreParameters(const std::vector<at::Tensor>& parameters) {
  const int64_t d = parameters[3].size(1), rank = parameters[3].size(2);
  const int padded = cuda::PaddedGroupWidth(static_cast<int>(d));
  const auto row = [d](const at::Tensor& x) { return x.view({1, d}); };
  const auto rates = [&](const at::Tensor& x) {
    return at::constant_pad_nd(x, {0, 0, 0, cuda::PaddedRank(padded) - rank});
  };
  const at::Tensor x_proj = parameters[2].view({rank + 2, d});
  const at::Tensor rows =
      at::cat({parameters[0].view({d, 9}).t(), row(parameters[1]),
               row(parameters[4]), row(parameters[5]).exp().neg(),
               row(parameters[6]), row(parameters[7]), row(parameters[8]),
               x_proj.narrow(0, rank, 2), rates(x_proj.narrow(0, 0, rank)),
               rates(parameters[3].view({d, rank}).t())});
  return at::constant_pad_nd(rows, {0, padded - d})
      .expand({kGroups, -1, -1})
      .contiguous();
}

std::tuple<at::Tensor, at::Tensor> CoreForward(const Device& device,
                                               const at::Tensor& xz,
                                               at::TensorList parameters,
                                               int64_t height, int64_t width,
                                               int64_t direction,
                                               double epsilon, bool save) {
  const Ss2dCall call(xz, parameters, height, width, direction, at::kFloat);
  const Launch launch(device, call);
  const cuda::Ss2dPlan plan = cuda::PlanSs2d(
      launch.shape, device.storage(), /*segments=*/0, device.multiprocessors);
  TORCH_CHECK(plan.segments > 0,
              "ss2d_core: too many pictures: ", launch.pictures);
  const at::Tensor stored = launch.Stored(call.xz, /*halves=*/2);
  const at::Tensor packed = PackCoreParameters(call.parameters);
  const at::Tensor scratch =
      ZeroScratch(cuda::Ss2dScratchBytes(launch.shape, plan), stored);
  const at::Tensor out = launch.EmptyStored(/*halves=*/1, stored.options());
  const at::Tensor states =
      at::empty({launch.stored, save ? StatesOfPicture(launch.shape) : 0},
                packed.options());
  CheckLaunch(
      device.kernels->ss2d_core(
          launch.shape, plan, device.storage(), static_cast<float>(epsilon),
          stored.const_data_ptr(), packed.const_data_ptr<float>(),
          scratch.mutable_data_ptr(), out.mutable_data_ptr(),
          save ? states.mutable_data_ptr<float>() : nullptr, device.stream()),
      "Ss2dCore");
  // The states of pictures of zeros are behind the others'.
  return {launch.Taken(out, /*halves=*/1),
          states.narrow(0, 0, launch.pictures)};
}

std::tuple<at::Tensor, std::vector<at::Tensor>> CoreBackward(
    const Device& device, const at::Tensor& gradient, const at::Tensor& xz,
    const at::Tensor& saved, at::TensorList parameters, int64_t height,
    int64_t width, int64_t direction, double epsilon) {
  const Ss2dCall call(xz, parameters, height, width, direction, at::kFloat);
  const Launch launch(device, call);
  const cuda::Ss2dShape& shape = launch.shape;
  launch.CheckGradient(gradient, saved);
  const cuda::Ss2dPlan plan = cuda::PlanSs2dBackward(
      shape, device.storage(), /*segments=*/0, device.multiprocessors);
  TORCH_CHECK(plan.segments > 0,
              "ss2d_core: too many pictures: ", launch.pictures);
  const at::Tensor stored = launch.Stored(call.xz, /*halves=*/2);
  const at::Tensor packed = PackCoreParameters(call.parameters);
  const at::Tensor states = launch.StoredStates(saved);
  const at::Tensor d_out =
      launch.Stored(gradient.stride(-1) == 1 ? gradient : gradient.contiguous(),
                    /*halves=*/1);
  const at::Tensor scratch = ZeroScratch(
      cuda::Ss2dBackwardScratchBytes(shape, device.storage(), plan), stored);
  const at::Tensor partials = at::empty(
      {static_cast<int64_t>(cuda::Ss2dPartialFloats(shape))}, packed.options());
  const at::Tensor d_xz = launch.EmptyStored(/*halves=*/2, stored.options());
  const at::Tensor d_parameters = at::empty(packed.sizes(), packed.options());
  CheckLaunch(device.kernels->ss2d_backward(
                  shape, plan, device.storage(), static_cast<float>(epsilon),
                  {.xz = stored.const_data_ptr(),
                   .parameters = packed.const_data_ptr<float>(),
                   .states = states.mutable_data_ptr<float>(),
                   .d_out = d_out.const_data_ptr(),
                   .scratch = scratch.mutable_data_ptr(),
                   .partials = partials.mutable_data_ptr<float>(),
                   .d_xz = d_xz.mutable_data_ptr(),
                   .d_parameters = d_parameters.mutable_data_ptr<float>()},
                  device.stream()),
              "Ss2dBackward");
  return {launch.Taken(d_xz, /*halves=*/2),
          UnpackGradients(packed, d_parameters, shape)};
}

}  // namespace groupmamba::device
