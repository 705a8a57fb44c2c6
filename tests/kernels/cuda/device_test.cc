// The CUDA build links and launches: on a GPU the SS2D core agrees with the
// oracle there too; without one the launch says so.

#include <gtest/gtest.h>

#include "tests/kernels/cuda/device_copy.h"
#include "tests/kernels/cuda/ss2d_core_case.h"

namespace groupmamba::testing {
namespace {

template <class T>
void ExpectRightOnTheDevice(int height, int width, int group_width,
                            double tolerance) {
  const auto c = MakeSs2dCase<T>(2, height, width, group_width, 1);
  const std::vector<double> want = WantedOutput(c);
  const DeviceCopy xz(c.xz), parameters(c.parameters);
  for (int segments : {0, 1, 2, 5}) {
    const auto plan = cuda::PlanSs2d(c.shape, StorageOf<T>(), segments);
    if (plan.segments == 0) continue;  // too large for one block
    const DeviceCopy scratch(nullptr, cuda::Ss2dScratchBytes(c.shape, plan));
    Ss2dRun<T> run;
    const DeviceCopy out(nullptr, c.xz.size() / 2 * sizeof(T));
    // Twice: the first launch leaves the scratch as it found it.
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(cuda::LaunchSs2dCore(
                    c.shape, plan, StorageOf<T>(), kOutNormEpsilon, xz.get(),
                    parameters.floats(), scratch.get(), out.get(), nullptr),
                cuda::kLaunched);
    }
    run.out = out.Read<T>(c.xz.size() / 2);
    EXPECT_LE(ErrorOf(run, want), tolerance) << group_width << " " << segments;
  }
}

TEST(CudaDevice, TheSs2dCoreAgreesWithTheOracle) {
  if (!HasGpu()) GTEST_SKIP() << "no GPU here";
  for (int width : {8, 16, 24, 32, 48, 87, 106, 112, 128}) {
    ExpectRightOnTheDevice<float>(14, 9, width, 1e-5);
    ExpectRightOnTheDevice<cuda::Bf16>(14, 14, width, 5e-3);
  }
  ExpectRightOnTheDevice<cuda::Bf16>(56, 56, 16, 5e-3);
}

TEST(CudaDevice, WithoutAGpuALaunchReturnsTheError) {
  if (HasGpu()) GTEST_SKIP() << "there is a GPU";
  const auto c = MakeSs2dCase<float>(1, 7, 7, 16, 1);
  EXPECT_GT(cuda::LaunchSs2dCore(c.shape,
                                 cuda::PlanSs2d(c.shape, cuda::Storage::kFp32),
                                 cuda::Storage::kFp32, kOutNormEpsilon, nullptr,
                                 nullptr, nullptr, nullptr, nullptr),
            0);
}

TEST(CudaDevice, AnUnsupportedShapeIsRefusedBeforeTheLaunch) {
  EXPECT_EQ(cuda::LaunchSs2dCore({1, 7, 7, 129, 9, {}}, {},
                                 cuda::Storage::kFp32, kOutNormEpsilon, nullptr,
                                 nullptr, nullptr, nullptr, nullptr),
            cuda::kUnsupportedShape);
}

}  // namespace
}  // namespace groupmamba::testing
