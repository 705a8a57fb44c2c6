// One group of the SS2D core in double precision, slow and obvious: every
// formula as in kernels/cuda/ss2d_core.h, the scan by the scan's own oracle.
// Shares no code with kernels/.
#ifndef GROUPMAMBA_TESTS_REFERENCE_SS2D_CORE_ORACLE_H_
#define GROUPMAMBA_TESTS_REFERENCE_SS2D_CORE_ORACLE_H_

#include <vector>

#include "kernels/scan_types.h"
#include "tests/reference/token_oracle.h"

namespace groupmamba::reference {

// Parameters with the state dict's shapes.
struct Ss2dGroup {
  int width = 0;                                            // d
  int rank = 0;                                             // R
  std::vector<float> convolution_weight, convolution_bias;  // [d][3][3], [d]
  std::vector<float> x_proj_weight;                         // [R + 2][d]
  std::vector<float> dt_projs_weight, dt_projs_bias;        // [d][R], [d]
  std::vector<float> a_logs, ds;                            // [d]
  std::vector<float> out_norm_weight, out_norm_bias;        // [d]
};

// x and z are [token][d] of one image; so is the result.
std::vector<double> Ss2dCore(const Ss2dGroup& group, int height, int width,
                             kernels::Direction direction, double epsilon,
                             const std::vector<double>& x,
                             const std::vector<double>& z);

// Gradients, each of its namesake's shape; dx and dz as x and z.
struct Ss2dGradients {
  std::vector<double> dx, dz;
  std::vector<double> convolution_weight, convolution_bias;
  std::vector<double> x_proj_weight;
  std::vector<double> dt_projs_weight, dt_projs_bias;
  std::vector<double> a_logs, ds;
  std::vector<double> out_norm_weight, out_norm_bias;
};

// The gradients of the sum of dout * Ss2dCore(...).
Ss2dGradients Ss2dCoreBackward(const Ss2dGroup& group, int height, int width,
                               kernels::Direction direction, double epsilon,
                               const std::vector<double>& x,
                               const std::vector<double>& z,
                               const std::vector<double>& dout);

// Zero padding 1; x and the result [token][channel], weight [channel][3][3].
std::vector<double> DepthwiseConvolution(int height, int width, int channels,
                                         const std::vector<float>& weight,
                                         const std::vector<float>& bias,
                                         const std::vector<double>& x);

// Of `count` values from `x` on: (x - mean) / sqrt(variance + epsilon) * weight
// + bias.
void LayerNorm(int count, double epsilon, const float* weight,
               const float* bias, double* x);

}  // namespace groupmamba::reference

#endif  // GROUPMAMBA_TESTS_REFERENCE_SS2D_CORE_ORACLE_H_
