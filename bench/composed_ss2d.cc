#include "bench/composed_ss2d.h"

#include "tests/reference/ss2d_composition.h"

namespace groupmamba::bench {
namespace {

at::Tensor Compose(const at::Tensor& xz, at::TensorList p, int64_t height,
                   int64_t width, int64_t direction, double epsilon) {
  return reference::Ss2dComposition(
      xz, {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]},
      {height, width}, static_cast<kernels::Direction>(direction), epsilon);
}

}  // namespace

// AutogradCPU comes before the kernel that is there for every Autograd key.
ComposedSs2d::ComposedSs2d()
    : override_(torch::Library::IMPL, "groupmamba",
                c10::DispatchKey::AutogradCPU, __FILE__, __LINE__) {
  override_.impl("ss2d_core", Compose);
}

}  // namespace groupmamba::bench
