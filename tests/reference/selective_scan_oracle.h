// The selective scan in double precision, slow and obvious: every formula as in
// kernels/selective_scan.h, one scalar at a time, with each direction's order
// of tokens written out as loops over rows and columns. Shares no code with
// kernels/.
#ifndef GROUPMAMBA_TESTS_REFERENCE_SELECTIVE_SCAN_ORACLE_H_
#define GROUPMAMBA_TESTS_REFERENCE_SELECTIVE_SCAN_ORACLE_H_

#include <vector>

#include "kernels/scan_types.h"

namespace groupmamba::reference {

// Dense: element [n][token][channel] lies at (n * tokens + token) * channels +
// channel, and element [n][token] at n * tokens + token.
struct Scan {
  kernels::ScanShape shape;
  std::vector<double> u, delta;          // [batch][token][channel]
  std::vector<double> b, c;              // [batch][token]
  std::vector<double> a, d, delta_bias;  // [channel]
};

struct ScanGradients {
  std::vector<double> du, ddelta;
  std::vector<double> db, dc;
  std::vector<double> da, dd, ddelta_bias;
};

// The tokens (row * width + column) in the order in which `direction` visits
// them.
std::vector<int> TokenSequence(int height, int width,
                               kernels::Direction direction);

// y [batch][token][channel].
std::vector<double> Forward(const Scan& scan, kernels::Direction direction);

// The gradients of the sum of dy * y.
ScanGradients Backward(const Scan& scan, kernels::Direction direction,
                       const std::vector<double>& dy);

}  // namespace groupmamba::reference

#endif  // GROUPMAMBA_TESTS_REFERENCE_SELECTIVE_SCAN_ORACLE_H_
