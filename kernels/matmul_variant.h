// What an implementation of the matrix product gives to its dispatcher
// (kernels/matmul.cc); internal to kernels/.
//
// No library header here, and nothing inline: kernels/scan_types.h says why.

#ifndef GROUPMAMBA_KERNELS_MATMUL_VARIANT_H_
#define GROUPMAMBA_KERNELS_MATMUL_VARIANT_H_

#include <cstdint>

#include "kernels/matmul_types.h"

namespace groupmamba::kernels {

// A product whose range is resolved.
struct MatmulJob {
  MatmulRows a;
  int64_t segment_k;     // k of one segment
  const void* b;         // the first panel's first k of the range
  int64_t panel_stride;  // elements of B from panel to panel
  int64_t columns;       // of the range
  const float* bias;     // of the range's first column; null: continue from C
  MatmulFinish finish;
  float* c;
  int64_t c_stride;
};

struct MatmulVariant {
  void (*multiply)(const MatmulJob& job);        // B is fp32
  void (*multiply_pairs)(const MatmulJob& job);  // B is bf16, in pairs of k
  int64_t panel_width;
};

extern const MatmulVariant kMatmulPortable;
extern const MatmulVariant kMatmulAvx2;
extern const MatmulVariant kMatmulAvx512;
extern const MatmulVariant kMatmulAvx512Bf16;

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_MATMUL_VARIANT_H_
