// Chooses the implementation of the selective scan for this processor, and
// turns a direction into an order of tokens.
#include "kernels/selective_scan.h"

#include <cassert>
#include <memory>
#include <new>

#include "absl/algorithm/container.h"
#include "kernels/scan_variant.h"
#include "kernels/token_order.h"

namespace groupmamba::kernels {
namespace {

const ScanVariant& VariantOf(Isa isa) {
  assert(absl::c_linear_search(SupportedIsas(), isa));
  switch (isa) {
#ifdef GROUPMAMBA_X86_KERNELS
    case Isa::kAvx2:
      return kScanAvx2;
    case Isa::kAvx512:
    case Isa::kAvx512Bf16:
      return kScanAvx512;
#endif
    default:
      return kScanPortable;
  }
}

constexpr std::align_val_t kScratchAlignment{64};

struct ScratchDelete {
  void operator()(void* memory) const {
    ::operator delete(memory, kScratchAlignment);
  }
};
using Scratch = std::unique_ptr<void, ScratchDelete>;

template <class Scalar>
void RunBackward(const BasicScanVariant<Scalar>& variant,
                 const ScanShape& shape, Direction direction,
                 const BasicScanInputs<Scalar>& in,
                 const BasicTokenTensor<const Scalar>& dy,
                 const BasicScanGradients<Scalar>& gradients) {
  const Scratch scratch(
      ::operator new(variant.scratch_bytes_per_token* shape.height* shape.width,
                     kScratchAlignment));
  variant.backward(shape, OrderOf(shape.height, shape.width, direction),
                   OrderOf(shape.height, shape.width, Opposite(direction)), in,
                   dy, gradients, scratch.get());
}

}  // namespace

void SelectiveScan(const ScanShape& shape, Direction direction,
                   const ScanInputs& in, const TokenTensor& y) {
  SelectiveScan(BestIsa(), shape, direction, in, y);
}

void SelectiveScan(Isa isa, const ScanShape& shape, Direction direction,
                   const ScanInputs& in, const TokenTensor& y) {
  VariantOf(isa).forward(shape, OrderOf(shape.height, shape.width, direction),
                         in, y);
}

void SelectiveScanBackward(const ScanShape& shape, Direction direction,
                           const ScanInputs& in, const ConstTokenTensor& dy,
                           const ScanGradients& gradients) {
  SelectiveScanBackward(BestIsa(), shape, direction, in, dy, gradients);
}

void SelectiveScanBackward(Isa isa, const ScanShape& shape, Direction direction,
                           const ScanInputs& in, const ConstTokenTensor& dy,
                           const ScanGradients& gradients) {
  RunBackward(VariantOf(isa), shape, direction, in, dy, gradients);
}

void SelectiveScan(const ScanShape& shape, Direction direction,
                   const BasicScanInputs<double>& in,
                   const BasicTokenTensor<double>& y) {
  kScanDouble.forward(shape, OrderOf(shape.height, shape.width, direction), in,
                      y);
}

void SelectiveScanBackward(const ScanShape& shape, Direction direction,
                           const BasicScanInputs<double>& in,
                           const BasicTokenTensor<const double>& dy,
                           const BasicScanGradients<double>& gradients) {
  RunBackward(kScanDouble, shape, direction, in, dy, gradients);
}

}  // namespace groupmamba::kernels
