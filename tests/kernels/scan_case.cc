#include "tests/kernels/scan_case.h"

#include <cmath>
#include <random>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "tests/kernels/guarded_tensor.h"

namespace groupmamba::testing {
namespace {

using kernels::Direction;
using kernels::Isa;
using kernels::ScanShape;

// The inputs of a scan as the kernels take them.
class GuardedInputs {
 public:
  GuardedInputs(const reference::Scan& scan, int gap)
      : u_(scan.shape.batch, Tokens(scan), scan.shape.channels, gap),
        delta_(scan.shape.batch, Tokens(scan), scan.shape.channels, gap),
        b_(scan.shape.batch, Tokens(scan), 1, gap),
        c_(scan.shape.batch, Tokens(scan), 1, gap),
        a_(1, 1, scan.shape.channels, 0),
        d_(1, 1, scan.shape.channels, 0),
        bias_(1, 1, scan.shape.channels, 0) {
    u_.Fill(scan.u);
    delta_.Fill(scan.delta);
    b_.Fill(scan.b);
    c_.Fill(scan.c);
    a_.Fill(scan.a);
    d_.Fill(scan.d);
    bias_.Fill(scan.delta_bias);
  }

  static int64_t Tokens(const reference::Scan& scan) {
    return scan.shape.height * scan.shape.width;
  }

  kernels::ScanInputs view() const {
    return {u_.const_view(), delta_.const_view(), b_.const_view(),
            c_.const_view(), a_.data(),           d_.data(),
            bias_.data()};
  }

 private:
  GuardedTensor u_, delta_, b_, c_, a_, d_, bias_;
};

}  // namespace

std::vector<double> RandomValues(size_t count, double low, double high,
                                 int seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> value(low, high);
  std::vector<double> values(count);
  for (double& x : values) x = value(random);
  return values;
}

reference::Scan RandomScan(const ScanShape& shape, int seed) {
  const size_t tokens = shape.batch * shape.height * shape.width;
  const size_t elements = tokens * shape.channels;
  reference::Scan scan;
  scan.shape = shape;
  scan.u = RandomValues(elements, -2, 2, seed);
  scan.delta = RandomValues(elements, -4, 4, seed + 1);
  scan.b = RandomValues(tokens, -1, 1, seed + 2);
  scan.c = RandomValues(tokens, -1, 1, seed + 3);
  scan.a = RandomValues(shape.channels, -4, -0.01, seed + 4);
  scan.d = RandomValues(shape.channels, -1, 1, seed + 5);
  scan.delta_bias = RandomValues(shape.channels, -5, 1, seed + 6);
  return scan;
}

std::vector<ScanShape> InterestingShapes() {
  std::vector<ScanShape> shapes;
  for (int channels : {1, 3, 8, 16, 17, 24, 32, 48, 87, 106, 112, 128}) {
    shapes.push_back({2, 5, 3, channels});
  }
  for (auto [height, width] :
       {std::pair{1, 1}, {1, 9}, {9, 1}, {7, 7}, {4, 6}}) {
    shapes.push_back({1, height, width, 19});
  }
  shapes.push_back({3, 14, 14, 87});
  shapes.push_back({1, 56, 56, 16});
  return shapes;
}

std::string Describe(const ScanShape& shape) {
  return absl::StrCat(shape.batch, " of ", shape.height, "x", shape.width, "x",
                      shape.channels);
}

std::vector<double> RunForward(Isa isa, Direction direction,
                               const reference::Scan& scan, int gap) {
  const GuardedInputs inputs(scan, gap);
  const GuardedTensor y(scan.shape.batch, GuardedInputs::Tokens(scan),
                        scan.shape.channels, gap);
  kernels::SelectiveScan(isa, scan.shape, direction, inputs.view(), y.view());
  EXPECT_TRUE(y.GapsAreUntouched());
  return y.ToDense();
}

reference::ScanGradients RunBackward(Isa isa, Direction direction,
                                     const reference::Scan& scan,
                                     const std::vector<double>& dy_values,
                                     int gap) {
  const GuardedInputs inputs(scan, gap);
  const int64_t batch = scan.shape.batch;
  const int64_t tokens = GuardedInputs::Tokens(scan);
  const int64_t channels = scan.shape.channels;
  GuardedTensor dy(batch, tokens, channels, gap);
  dy.Fill(dy_values);
  const GuardedTensor du(batch, tokens, channels, gap);
  const GuardedTensor ddelta(batch, tokens, channels, gap);
  const GuardedTensor db(batch, tokens, 1, gap), dc(batch, tokens, 1, gap);
  const GuardedTensor da(1, 1, channels, 0), dd(1, 1, channels, 0);
  const GuardedTensor dbias(1, 1, channels, 0);
  kernels::SelectiveScanBackward(
      isa, scan.shape, direction, inputs.view(), dy.const_view(),
      {du.view(), ddelta.view(), db.view(), dc.view(), da.data(), dd.data(),
       dbias.data()});
  EXPECT_TRUE(du.GapsAreUntouched() && ddelta.GapsAreUntouched() &&
              db.GapsAreUntouched() && dc.GapsAreUntouched());
  return {du.ToDense(), ddelta.ToDense(), db.ToDense(),   dc.ToDense(),
          da.ToDense(), dd.ToDense(),     dbias.ToDense()};
}

double RelativeError(const std::vector<double>& got,
                     const std::vector<double>& want) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / size);
}

void ScanTest::SetUp() {
  if (!absl::c_linear_search(kernels::SupportedIsas(), GetParam())) {
    GTEST_SKIP() << "this processor, or this build, has no "
                 << kernels::IsaName(GetParam());
  }
}

std::string IsaTestName(const ::testing::TestParamInfo<Isa>& info) {
  return kernels::IsaName(info.param);
}

}  // namespace groupmamba::testing
