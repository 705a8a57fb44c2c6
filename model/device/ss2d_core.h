// groupmamba::ss2d_core's two passes by the kernels of kernels/cuda, for one
// channel group: what their registration under a device's key calls.
//
// The kernels do four groups at once, each with parameters and a direction of
// its own. Here they are the four quarters of the batch, with the same: no
// picture sees another, so that only the order of the parameters' gradients'
// sums tells. Where the batch is no multiple of four, or the width none that
// the kernels are made for, zeros are added for the launch.

#ifndef GROUPMAMBA_MODEL_DEVICE_SS2D_CORE_H_
#define GROUPMAMBA_MODEL_DEVICE_SS2D_CORE_H_

#include <tuple>
#include <vector>

#include "ATen/core/Tensor.h"
#include "kernels/ss2d_types.h"
#include "model/device/device.h"

namespace groupmamba::device {

// Floats of each picture that CoreForward leaves for CoreBackward; 0: the
// kernels are not made for this shape, or for xz of this type (they take kFloat
// and kBFloat16).
int64_t CoreStates(const kernels::Ss2dShape& shape, at::ScalarType type);

// The operators' arguments: xz of the device's type, parameters in fp32,
// both on the device. Returns the result, of xz's type, and, if `save`, the
// states [batch, CoreStates], in fp32. Throws c10::Error where something does
// not fit, and what CUDA says.
std::tuple<at::Tensor, at::Tensor> CoreForward(const Device& device,
                                               const at::Tensor& xz,
                                               at::TensorList parameters,
                                               int64_t height, int64_t width,
                                               int64_t direction,
                                               double epsilon, bool save);

// The gradients by xz, of its type, and by the parameters, in fp32; the same to
// the bit at every call. `saved` is what CoreForward left of the same xz.
std::tuple<at::Tensor, std::vector<at::Tensor>> CoreBackward(
    const Device& device, const at::Tensor& gradient, const at::Tensor& xz,
    const at::Tensor& saved, at::TensorList parameters, int64_t height,
    int64_t width, int64_t direction, double epsilon);

// The parameters as the kernels take them (Ss2dRows), the same for each of the
// four groups, where they are: no copy to the processor.
at::Tensor PackCoreParameters(const std::vector<at::Tensor>& parameters);

}  // namespace groupmamba::device

#endif  // GROUPMAMBA_MODEL_DEVICE_SS2D_CORE_H_
