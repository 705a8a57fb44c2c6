// Chooses the implementation of the selective scan for this processor, and
// turns a direction into an order of tokens.
#include "kernels/selective_scan.h"

#include <cassert>
#include <memory>
#include <new>

#include "absl/algorithm/container.h"
#include "kernels/scan_variant.h"

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

TokenOrder OrderOf(const ScanShape& shape, Direction direction) {
  const int64_t tokens = shape.height * shape.width;
  switch (direction) {
    case Direction::kLeftRight:
      return {0, 1, 0, tokens, 1};
    case Direction::kRightLeft:
      return {tokens - 1, 1, 0, tokens, -1};
    case Direction::kTopBottom:
      return {0, shape.width, 1, shape.height, shape.width};
    case Direction::kBottomTop:
      return {tokens - 1, shape.width, -1, shape.height, -shape.width};
  }
  __builtin_unreachable();
}

Direction Opposite(Direction direction) {
  switch (direction) {
    case Direction::kLeftRight:
      return Direction::kRightLeft;
    case Direction::kRightLeft:
      return Direction::kLeftRight;
    case Direction::kTopBottom:
      return Direction::kBottomTop;
    case Direction::kBottomTop:
      return Direction::kTopBottom;
  }
  __builtin_unreachable();
}

constexpr std::align_val_t kScratchAlignment{64};

struct ScratchDelete {
  void operator()(void* memory) const {
    ::operator delete(memory, kScratchAlignment);
  }
};
using Scratch = std::unique_ptr<void, ScratchDelete>;

}  // namespace

void SelectiveScan(const ScanShape& shape, Direction direction,
                   const ScanInputs& in, const TokenTensor& y) {
  SelectiveScan(BestIsa(), shape, direction, in, y);
}

void SelectiveScan(Isa isa, const ScanShape& shape, Direction direction,
                   const ScanInputs& in, const TokenTensor& y) {
  VariantOf(isa).forward(shape, OrderOf(shape, direction), in, y);
}

void SelectiveScanBackward(const ScanShape& shape, Direction direction,
                           const ScanInputs& in, const ConstTokenTensor& dy,
                           const ScanGradients& gradients) {
  SelectiveScanBackward(BestIsa(), shape, direction, in, dy, gradients);
}

void SelectiveScanBackward(Isa isa, const ScanShape& shape, Direction direction,
                           const ScanInputs& in, const ConstTokenTensor& dy,
                           const ScanGradients& gradients) {
  const ScanVariant& variant = VariantOf(isa);
  const Scratch scratch(
      ::operator new(variant.scratch_bytes_per_token* shape.height* shape.width,
                     kScratchAlignment));
  variant.backward(shape, OrderOf(shape, direction),
                   OrderOf(shape, Opposite(direction)), in, dy, gradients,
                   scratch.get());
}

}  // namespace groupmamba::kernels
