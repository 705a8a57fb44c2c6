// The CUDA build links and launches: on a GPU the SS2D core agrees with the
// oracle there too; without one the launch says so.

#include <gtest/gtest.h>

#include "tests/kernels/cuda/device_copy.h"
#include "tests/kernels/cuda/ss2d_backward_case.h"
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
      ASSERT_EQ(
          cuda::LaunchSs2dCore(c.shape, plan, StorageOf<T>(), kOutNormEpsilon,
                               xz.get(), parameters.floats(), scratch.get(),
                               out.get(), nullptr, nullptr),
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

// With states that the device's own forward pass saved.
template <class T>
void ExpectRightBackwardOnTheDevice(int height, int width, int group_width,
                                    double tolerance) {
  const auto c = MakeSs2dBackwardCase<T>(2, height, width, group_width, 1);
  const cuda::Ss2dShape& shape = c.forward.shape;
  const cuda::Storage storage = StorageOf<T>();
  const Gradients want = WantedGradients(c);
  const DeviceCopy xz(c.forward.xz), parameters(c.forward.parameters),
      d_out(c.d_out);
  const DeviceCopy states(nullptr, c.states.size() * 4);
  const auto forward = cuda::PlanSs2d(shape, storage);
  const DeviceCopy scratch(nullptr, cuda::Ss2dScratchBytes(shape, forward));
  const DeviceCopy out(nullptr, c.d_out.size() * sizeof(T));
  ASSERT_EQ(cuda::LaunchSs2dCore(shape, forward, storage, kOutNormEpsilon,
                                 xz.get(), parameters.floats(), scratch.get(),
                                 out.get(), states.floats(), nullptr),
            cuda::kLaunched);
  Ss2dBackwardRun<T> first;
  for (int segments : {0, 1, 2, 5}) {
    const auto plan = cuda::PlanSs2dBackward(shape, storage, segments);
    if (plan.segments == 0) continue;  // too large for one block
    const DeviceCopy words(
        nullptr, cuda::Ss2dBackwardScratchBytes(shape, storage, plan));
    const DeviceCopy partials(nullptr, 4 * cuda::Ss2dPartialFloats(shape));
    const DeviceCopy d_xz(nullptr, c.forward.xz.size() * sizeof(T));
    const DeviceCopy d_parameters(nullptr, c.forward.parameters.size() * 4);
    // Twice: the first launch leaves the scratch as it found it.
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(cuda::LaunchSs2dBackward(
                    shape, plan, storage, kOutNormEpsilon,
                    {xz.get(), parameters.floats(), states.floats(),
                     d_out.get(), words.get(), partials.floats(), d_xz.get(),
                     d_parameters.floats()},
                    nullptr),
                cuda::kLaunched);
    }
    Ss2dBackwardRun<T> run;
    run.d_xz = d_xz.Read<T>(c.forward.xz.size());
    run.d_parameters = d_parameters.Read<float>(c.forward.parameters.size());
    for (const auto& [name, values] : GradientsOf(c, run)) {
      EXPECT_LE(RelativeL2(values, want.at(name)), tolerance)
          << name << " " << group_width << " " << segments;
    }
    if (first.d_xz.empty()) first = run;
    EXPECT_TRUE(SameBits(run.d_xz, first.d_xz)) << segments;
    EXPECT_TRUE(SameBits(run.d_parameters, first.d_parameters)) << segments;
  }
}

TEST(CudaDevice, TheSs2dBackwardAgreesWithTheOracle) {
  if (!HasGpu()) GTEST_SKIP() << "no GPU here";
  for (int width : {8, 16, 24, 32, 48, 87, 106, 112, 128}) {
    ExpectRightBackwardOnTheDevice<float>(14, 9, width, 1e-5);
    ExpectRightBackwardOnTheDevice<cuda::Bf16>(14, 14, width, 1.5e-2);
  }
  ExpectRightBackwardOnTheDevice<cuda::Bf16>(56, 56, 16, 1.5e-2);
}

TEST(CudaDevice, WithoutAGpuALaunchReturnsTheError) {
  if (HasGpu()) GTEST_SKIP() << "there is a GPU";
  const cuda::Ss2dShape shape = {1, 7, 7, 16, 1, {}};
  EXPECT_GT(cuda::LaunchSs2dBackward(
                shape, cuda::PlanSs2dBackward(shape, cuda::Storage::kFp32),
                cuda::Storage::kFp32, kOutNormEpsilon, {}, nullptr),
            0);
  const auto c = MakeSs2dCase<float>(1, 7, 7, 16, 1);
  EXPECT_GT(cuda::LaunchSs2dCore(c.shape,
                                 cuda::PlanSs2d(c.shape, cuda::Storage::kFp32),
                                 cuda::Storage::kFp32, kOutNormEpsilon, nullptr,
                                 nullptr, nullptr, nullptr, nullptr, nullptr),
            0);
}

TEST(CudaDevice, AnUnsupportedShapeIsRefusedBeforeTheLaunch) {
  EXPECT_EQ(
      cuda::LaunchSs2dBackward({1, 7, 7, 129, 9, {}}, {}, cuda::Storage::kFp32,
                               kOutNormEpsilon, {}, nullptr),
      cuda::kUnsupportedShape);
  EXPECT_EQ(cuda::LaunchSs2dCore({1, 7, 7, 129, 9, {}}, {},
                                 cuda::Storage::kFp32, kOutNormEpsilon, nullptr,
                                 nullptr, nullptr, nullptr, nullptr, nullptr),
            cuda::kUnsupportedShape);
}

}  // namespace
}  // namespace groupmamba::testing
