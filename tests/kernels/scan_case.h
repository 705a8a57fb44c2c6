// Random scans, run by any implementation over guarded tensors; shared by the
// tests of the forward and of the backward scan.
#ifndef GROUPMAMBA_TESTS_KERNELS_SCAN_CASE_H_
#define GROUPMAMBA_TESTS_KERNELS_SCAN_CASE_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/selective_scan.h"
#include "tests/reference/selective_scan_oracle.h"

namespace groupmamba::testing {

inline constexpr kernels::Direction kDirections[] = {
    kernels::Direction::kLeftRight, kernels::Direction::kRightLeft,
    kernels::Direction::kTopBottom, kernels::Direction::kBottomTop};

// Reproducible; every value is an fp32 number, of the sizes met in a network.
reference::Scan RandomScan(const kernels::ScanShape& shape, int seed);
std::vector<double> RandomValues(size_t count, double low, double high,
                                 int seed);

// The scans that every implementation must get right: grids from 1x1 on, odd,
// flat and tall; channels around each vector width and those of the networks.
std::vector<kernels::ScanShape> InterestingShapes();
std::string Describe(const kernels::ScanShape& shape);

// Every tensor is guarded, and holds `gap` unused floats between tokens; fails
// the test where an unused one was written to.
std::vector<double> RunForward(kernels::Isa isa, kernels::Direction direction,
                               const reference::Scan& scan, int gap);
reference::ScanGradients RunBackward(kernels::Isa isa,
                                     kernels::Direction direction,
                                     const reference::Scan& scan,
                                     const std::vector<double>& dy, int gap);

// sqrt(sum (got - want)^2 / sum want^2), 0 where both are the same; NaN or
// infinite where `got` is.
double RelativeError(const std::vector<double>& got,
                     const std::vector<double>& want);

// One implementation; skipped, aloud, where this processor cannot run it.
class ScanTest : public ::testing::TestWithParam<kernels::Isa> {
 protected:
  void SetUp() override;
};
std::string IsaTestName(const ::testing::TestParamInfo<kernels::Isa>& info);

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_SCAN_CASE_H_
