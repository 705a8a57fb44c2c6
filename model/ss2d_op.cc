#include "model/ss2d_op.h"

#include <tuple>
#include <utility>

#include "ATen/Dispatch.h"
#include "ATen/Parallel.h"
#include "ATen/autocast_mode.h"
#include "ATen/ops/empty.h"
#include "kernels/ss2d_core.h"
#include "model/device/cuda_operators.h"
#include "model/device/ss2d_core.h"
#include "model/op_support.h"
#include "model/ss2d_call.h"
#include "model/ss2d_composition.h"
#include "torch/csrc/autograd/custom_function.h"
#include "torch/library.h"

namespace groupmamba {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A call on the processor: fp32 or double.
struct CpuCall : Ss2dCall {
  CpuCall(const at::Tensor& from, at::TensorList tensors, int64_t height,
          int64_t width, int64_t direction)
      : Ss2dCall(from, tensors, height, width, direction, from.scalar_type()) {}

  template <class Scalar>
  kernels::Ss2dCore<Scalar> Core(double epsilon) const {
    const auto at = [&](int i) {
      return parameters[i].template const_data_ptr<Scalar>();
    };
    return kernels::Ss2dCore<Scalar>(
        kernels::BestIsa(), shape, static_cast<Scalar>(epsilon),
        {at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8)});
  }
};

template <class Scalar>
kernels::BasicConstTokens<Scalar> Image(const at::Tensor& x, int64_t n) {
  return {x.const_data_ptr<Scalar>() + n * x.stride(0), x.stride(1)};
}
template <class Scalar>
kernels::BasicTokens<Scalar> MutableImage(const at::Tensor& x, int64_t n) {
  return {x.mutable_data_ptr<Scalar>() + n * x.stride(0), x.stride(1)};
}

// run(picture, scratch) for every picture, side by side.
template <class Scalar, class Run>
void ForEachPicture(int64_t batch, int64_t scratch_count,
                    at::TensorOptions options, Run run) {
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    const at::Tensor scratch = at::empty({scratch_count}, options);
    for (int64_t n = begin; n < end; ++n) {
      run(n, scratch.mutable_data_ptr<Scalar>());
    }
  });
}

// The result and `saved` states of each picture for the backward core.
std::tuple<at::Tensor, at::Tensor> ForwardCpu(const at::Tensor& from,
                                              at::TensorList parameters,
                                              int64_t height, int64_t width,
                                              int64_t direction, double epsilon,
                                              int64_t saved) {
  const CpuCall call(from, parameters, height, width, direction);
  const bool save = saved > 0;
  TORCH_CHECK(
      !save || saved == kernels::Ss2dCore<float>::StateCount(call.shape),
      "ss2d_core: the backward pass needs ",
      kernels::Ss2dCore<float>::StateCount(call.shape),
      " states of a picture, not ", saved);
  const auto options = call.xz.options();
  const int64_t batch = call.xz.size(0);
  const at::Tensor out =
      at::empty({batch, call.xz.size(1), call.shape.channels}, options);
  const at::Tensor states = at::empty({batch, saved}, options);
  AT_DISPATCH_FLOATING_TYPES(options.dtype().toScalarType(), "ss2d_core", [&] {
    const auto core = call.Core<scalar_t>(epsilon);
    ForEachPicture<scalar_t>(
        batch, core.forward_scratch(), options,
        [&](int64_t n, scalar_t* scratch) {
          core.Forward(
              Image<scalar_t>(call.xz, n), MutableImage<scalar_t>(out, n),
              save ? states.mutable_data_ptr<scalar_t>() + n * states.size(1)
                   : nullptr,
              scratch);
        });
  });
  return {out, states};
}

// The gradients by xz and by the parameters, which are kept a picture apart
// while pictures run in parallel and summed afterwards, in order.
std::tuple<at::Tensor, std::vector<at::Tensor>> BackwardCpu(
    const at::Tensor& gradient, const at::Tensor& from, const at::Tensor& saved,
    at::TensorList parameters, int64_t height, int64_t width, int64_t direction,
    double epsilon) {
  const CpuCall call(from, parameters, height, width, direction);
  const auto options = call.xz.options();
  const int64_t batch = call.xz.size(0);
  const at::Tensor dout = WithAdjacentChannels(gradient);
  CheckOperand(call.xz, "the gradient", dout,
               {batch, call.xz.size(1), call.shape.channels});
  const at::Tensor states = saved.contiguous();
  CheckOperand(call.xz, "the states", states,
               {batch, kernels::Ss2dCore<float>::StateCount(call.shape)});
  const at::Tensor dxz = at::empty(call.xz.sizes(), options);
  std::vector<at::Tensor> sums;
  sums.reserve(kSs2dParameters);
  for (const at::Tensor& parameter : call.parameters) {
    sums.push_back(at::empty(parameter.sizes(), options));
  }
  AT_DISPATCH_FLOATING_TYPES(
      options.dtype().toScalarType(), "ss2d_core_backward", [&] {
        const auto core = call.Core<scalar_t>(epsilon);
        const at::Tensor shares =
            at::empty({batch, core.gradient_count()}, options);
        ForEachPicture<scalar_t>(
            batch, core.backward_scratch(), options,
            [&](int64_t n, scalar_t* scratch) {
              core.Backward(
                  Image<scalar_t>(call.xz, n),
                  states.const_data_ptr<scalar_t>() + n * states.size(1),
                  Image<scalar_t>(dout, n), MutableImage<scalar_t>(dxz, n),
                  shares.mutable_data_ptr<scalar_t>() + n * shares.size(1),
                  scratch);
            });
        const auto at = [&](int i) {
          return sums[i].template mutable_data_ptr<scalar_t>();
        };
        core.SumGradients(
            shares.const_data_ptr<scalar_t>(), batch,
            {at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8)});
      });
  return {dxz, sums};
}

std::tuple<at::Tensor, at::Tensor> ForwardMeta(const at::Tensor& xz,
                                               at::TensorList parameters,
                                               int64_t, int64_t, int64_t,
                                               double, c10::SymInt saved) {
  return {at::empty_symint(
              {xz.sym_size(0), xz.sym_size(1), parameters[3].sym_size(1)},
              xz.options()),
          at::empty_symint({xz.sym_size(0), std::move(saved)},
                           parameters[3].options())};
}

std::tuple<at::Tensor, std::vector<at::Tensor>> BackwardMeta(
    const at::Tensor&, const at::Tensor& xz, const at::Tensor&,
    at::TensorList parameters, int64_t, int64_t, int64_t, double) {
  const auto like = [](const at::Tensor& x) {
    return at::empty_symint(x.sym_sizes(), x.options());
  };
  std::vector<at::Tensor> sums;
  for (const at::Tensor& parameter : parameters) {
    sums.push_back(like(parameter));
  }
  return {like(xz), sums};
}

using CoreOp = at::Tensor(const at::Tensor&, at::TensorList, int64_t, int64_t,
                          int64_t, double);

// CoreStates of this call on a GPU; 0: there is no kernel for it.
int64_t CudaStates(const at::Tensor& xz, at::TensorList parameters,
                   int64_t height, int64_t width) {
  if (!xz.is_cuda() || !device::HasCudaOperators() ||
      parameters[3].scalar_type() != at::kFloat) {
    return 0;
  }
  const auto size = [&parameters](int64_t dim) {
    return parameters[3].sym_size(dim).guard_int(__FILE__, __LINE__);
  };
  return device::CoreStates(
      {.height = height, .width = width, .channels = size(1), .rank = size(2)},
      xz.scalar_type());
}

bool HasKernels(const at::Tensor& xz, at::TensorList parameters, int64_t height,
                int64_t width) {
  return xz.is_cpu() || xz.is_meta() ||
         CudaStates(xz, parameters, height, width) > 0;
}

// What the forward core is to leave of each picture for the backward one.
c10::SymInt StatesOfPicture(const at::Tensor& xz, at::TensorList parameters,
                            int64_t height, int64_t width) {
  if (xz.is_cuda()) return CudaStates(xz, parameters, height, width);
  return (height * width + kernels::kSs2dChunk - 1) / kernels::kSs2dChunk *
         parameters[3].sym_size(1);
}

// On any device, in the parameters' type.
at::Tensor Compose(const at::Tensor& xz, at::TensorList p, int64_t height,
                   int64_t width, int64_t direction, double epsilon) {
  return Ss2dComposition(xz.to(p[0].scalar_type()),
                         {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]},
                         {height, width}, DirectionOf(direction), epsilon)
      .to(xz.scalar_type());
}

using ForwardOp = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&,
                                                     at::TensorList, int64_t,
                                                     int64_t, int64_t, double,
                                                     c10::SymInt);

std::tuple<at::Tensor, at::Tensor> CallForward(
    const at::Tensor& xz, at::TensorList parameters, int64_t height,
    int64_t width, int64_t direction, double epsilon, c10::SymInt saved) {
  static const auto op =
      FindOperator<ForwardOp>("groupmamba::_ss2d_core_forward");
  return op.call(xz, parameters, height, width, direction, epsilon,
                 std::move(saved));
}

void CheckCount(at::TensorList parameters) {
  TORCH_CHECK(parameters.size() == kSs2dParameters, "ss2d_core: there are ",
              kSs2dParameters, " parameters, not ", parameters.size());
  TORCH_CHECK(parameters[3].dim() == 3,
              "ss2d_core: dt_projs_weight must be [1, d, R]");
}

// On any device, where nothing is to be derived.
at::Tensor CoreWithoutGradient(const at::Tensor& xz, at::TensorList parameters,
                               int64_t height, int64_t width, int64_t direction,
                               double epsilon) {
  CheckCount(parameters);
  if (!HasKernels(xz, parameters, height, width)) {
    return Compose(xz, parameters, height, width, direction, epsilon);
  }
  return std::get<0>(CallForward(xz, parameters, height, width, direction,
                                 epsilon, /*saved=*/0));
}

class CoreFunction : public torch::autograd::Function<CoreFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& xz,
                            const at::Tensor& p0, const at::Tensor& p1,
                            const at::Tensor& p2, const at::Tensor& p3,
                            const at::Tensor& p4, const at::Tensor& p5,
                            const at::Tensor& p6, const at::Tensor& p7,
                            const at::Tensor& p8, int64_t height, int64_t width,
                            int64_t direction, double epsilon) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [out, states] =
        CallForward(xz, {p0, p1, p2, p3, p4, p5, p6, p7, p8}, height, width,
                    direction, epsilon,
                    StatesOfPicture(xz, {p0, p1, p2, p3, p4, p5, p6, p7, p8},
                                    height, width));
    context->save_for_backward(
        {xz, states, p0, p1, p2, p3, p4, p5, p6, p7, p8});
    context->saved_data["height"] = height;
    context->saved_data["width"] = width;
    context->saved_data["direction"] = direction;
    context->saved_data["epsilon"] = epsilon;
    return out;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& gradients) {
    static const auto op =
        FindOperator<decltype(BackwardCpu)>("groupmamba::_ss2d_core_backward");
    const variable_list saved = context->get_saved_variables();
    auto [dxz, sums] = op.call(gradients[0], saved[0], saved[1],
                               at::TensorList(saved).slice(2, kSs2dParameters),
                               context->saved_data["height"].toInt(),
                               context->saved_data["width"].toInt(),
                               context->saved_data["direction"].toInt(),
                               context->saved_data["epsilon"].toDouble());
    variable_list by_input = {dxz};
    by_input.insert(by_input.end(), sums.begin(), sums.end());
    by_input.resize(1 + kSs2dParameters + 4);  // the numbers have none
    return by_input;
  }
};

at::Tensor CoreAutograd(const at::Tensor& xz, at::TensorList p, int64_t height,
                        int64_t width, int64_t direction, double epsilon) {
  CheckCount(p);
  bool derives = xz.requires_grad();
  for (const at::Tensor& parameter : p) derives |= parameter.requires_grad();
  if (!derives || !at::GradMode::is_enabled()) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    return CoreWithoutGradient(xz, p, height, width, direction, epsilon);
  }
  if (!HasKernels(xz, p, height, width)) {
    return Compose(xz, p, height, width, direction, epsilon);
  }
  return CoreFunction::apply(xz, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7],
                             p[8], height, width, direction, epsilon);
}

// The scan's steps and sums need fp32; the kernels for GPUs read and write bf16
// around them.
at::Tensor CoreAutocast(const at::Tensor& xz, at::TensorList parameters,
                        int64_t height, int64_t width, int64_t direction,
                        double epsilon) {
  static const auto op = FindOperator<CoreOp>("groupmamba::ss2d_core");
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKeySet(
      {c10::DispatchKey::AutocastCPU, c10::DispatchKey::AutocastCUDA}));
  std::vector<at::Tensor> fp32;
  for (const at::Tensor& parameter : parameters) {
    fp32.push_back(parameter.to(at::kFloat));
  }
  const bool stays = xz.is_cuda() && xz.scalar_type() == at::kBFloat16;
  return op.call(stays ? xz : xz.to(at::kFloat), fp32, height, width, direction,
                 epsilon);
}

TORCH_LIBRARY_FRAGMENT(groupmamba, library) {
  library.def(
      "ss2d_core(Tensor xz, Tensor[] parameters, int height, int width, "
      "int direction, float epsilon=1e-05) -> Tensor",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_ss2d_core_forward(Tensor xz, Tensor[] parameters, int height, "
      "int width, int direction, float epsilon, SymInt saved) -> "
      "(Tensor, Tensor)",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "_ss2d_core_backward(Tensor dout, Tensor xz, Tensor saved, "
      "Tensor[] parameters, int height, int width, int direction, "
      "float epsilon) -> (Tensor, Tensor[])",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(groupmamba, CompositeExplicitAutograd, library) {
  library.impl("ss2d_core", CoreWithoutGradient);
}
TORCH_LIBRARY_IMPL(groupmamba, CPU, library) {
  library.impl("_ss2d_core_forward", ForwardCpu);
  library.impl("_ss2d_core_backward", BackwardCpu);
}
TORCH_LIBRARY_IMPL(groupmamba, Meta, library) {
  library.impl("_ss2d_core_forward", ForwardMeta);
  library.impl("_ss2d_core_backward", BackwardMeta);
}
TORCH_LIBRARY_IMPL(groupmamba, Autograd, library) {
  library.impl("ss2d_core", CoreAutograd);
  library.impl("_ss2d_core_forward",
               torch::autograd::autogradNotImplementedFallback());
  library.impl("_ss2d_core_backward",
               torch::autograd::autogradNotImplementedFallback());
}
TORCH_LIBRARY_IMPL(groupmamba, AutocastCPU, library) {
  library.impl("ss2d_core", CoreAutocast);
}
TORCH_LIBRARY_IMPL(groupmamba, AutocastCUDA, library) {
  library.impl("ss2d_core", CoreAutocast);
}

}  // namespace

at::Tensor Ss2dCore(const at::Tensor& xz, const Ss2dParameters& parameters,
                    Grid grid, kernels::Direction direction, double epsilon) {
  static const auto op = FindOperator<CoreOp>("groupmamba::ss2d_core");
  return op.call(xz,
                 {parameters.convolution_weight, parameters.convolution_bias,
                  parameters.x_proj_weight, parameters.dt_projs_weight,
                  parameters.dt_projs_bias, parameters.a_logs, parameters.ds,
                  parameters.out_norm_weight, parameters.out_norm_bias},
                 grid.height, grid.width, static_cast<int64_t>(direction),
                 epsilon);
}

}  // namespace groupmamba
