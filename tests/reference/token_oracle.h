// The token-wise kernels in double precision, slow and obvious: the formulas of
// kernels/token_kernels.h, one scalar at a time. Shares no code with kernels/.
#ifndef GROUPMAMBA_TESTS_REFERENCE_TOKEN_ORACLE_H_
#define GROUPMAMBA_TESTS_REFERENCE_TOKEN_ORACLE_H_

#include <cmath>
#include <cstdint>
#include <vector>

namespace groupmamba::reference {

// Dense tensors: element [token][channel] lies at token * channels + channel.
using Values = std::vector<double>;

inline double Silu(double x) { return x / (1 + std::exp(-x)); }
double Gelu(double x);

Values LayerNorm(int64_t channels, const Values& x, const Values& weight,
                 const Values& bias, double epsilon);

Values ColumnSums(int64_t channels, const Values& x);

// Before the activation; x is a whole picture of height * width tokens, weight
// [9][channel].
Values DepthwiseConv(int64_t height, int64_t width, int64_t channels,
                     const Values& x, const Values& weight, const Values& bias);

}  // namespace groupmamba::reference

#endif  // GROUPMAMBA_TESTS_REFERENCE_TOKEN_ORACLE_H_
