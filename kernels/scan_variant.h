// What an implementation of the selective scan gives to its dispatcher
// (kernels/selective_scan.cc); internal to kernels/.
//
// No library header here, and nothing inline: kernels/scan_types.h says why.

#ifndef GROUPMAMBA_KERNELS_SCAN_VARIANT_H_
#define GROUPMAMBA_KERNELS_SCAN_VARIANT_H_

#include <cstdint>

#include "kernels/scan_types.h"

namespace groupmamba::kernels {

// The tokens of one image in the order of a direction: step (i, j), with i
// below outer_count and j below inner_count varying faster, visits the token
// first + i * outer_step + j * inner_step.
struct TokenOrder {
  int64_t first;
  int64_t outer_count;
  int64_t outer_step;
  int64_t inner_count;
  int64_t inner_step;
};

template <class Scalar>
struct BasicScanVariant {
  void (*forward)(const ScanShape& shape, const TokenOrder& order,
                  const BasicScanInputs<Scalar>& in,
                  const BasicTokenTensor<Scalar>& y);
  // `reversed` visits the tokens of `order` from the last to the first.
  // `scratch` holds scratch_bytes_per_token for each token of one image.
  void (*backward)(const ScanShape& shape, const TokenOrder& order,
                   const TokenOrder& reversed,
                   const BasicScanInputs<Scalar>& in,
                   const BasicTokenTensor<const Scalar>& dy,
                   const BasicScanGradients<Scalar>& gradients, void* scratch);
  int64_t scratch_bytes_per_token;
};

using ScanVariant = BasicScanVariant<float>;

extern const BasicScanVariant<double> kScanDouble;
extern const ScanVariant kScanPortable;
extern const ScanVariant kScanAvx2;
extern const ScanVariant kScanAvx512;

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SCAN_VARIANT_H_
