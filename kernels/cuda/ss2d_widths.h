// The padded widths that the SS2D core's kernels are made for, in one place.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_WIDTHS_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_WIDTHS_H_

namespace groupmamba::cuda {

inline constexpr int kPaddedWidths[] = {8, 16, 24, 32, 48, 88, 112, 128};

// visitor.Of<padded>() of one of them, else visitor.None().
template <class Visitor>
auto OfPaddedWidth(int padded, const Visitor& visitor) {
  switch (padded) {
    case 8:
      return visitor.template Of<8>();
    case 16:
      return visitor.template Of<16>();
    case 24:
      return visitor.template Of<24>();
    case 32:
      return visitor.template Of<32>();
    case 48:
      return visitor.template Of<48>();
    case 88:
      return visitor.template Of<88>();
    case 112:
      return visitor.template Of<112>();
    case 128:
      return visitor.template Of<128>();
    default:
      return visitor.None();
  }
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_WIDTHS_H_
