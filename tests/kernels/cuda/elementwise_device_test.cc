// The element-wise kernels on a GPU against the same bodies in the executor:
// they differ by the approximate units alone.

#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/cuda/comparison.h"
#include "tests/kernels/cuda/device_copy.h"
#include "tests/kernels/cuda/executor_kernels.h"

namespace groupmamba::testing {
namespace {

using cuda::Bf16;
using cuda::ChannelLayout;

constexpr int kBatch = 3;
constexpr ChannelLayout kLayout = {4, 87, 88};
constexpr int kRow = 4 * 88;

template <class T>
class ElementwiseDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasGpu()) GTEST_SKIP() << "no GPU here";
  }

  // Of two launches that differ in where their memory is.
  template <class Out>
  void ExpectTheSame(cuda::LaunchError host, cuda::LaunchError device,
                     const std::vector<Out>& host_out,
                     const DeviceCopy& device_out) {
    ASSERT_EQ(host, cuda::kLaunched);
    ASSERT_EQ(device, cuda::kLaunched);
    EXPECT_LE(RelativeL2(Doubles(device_out.Read<Out>(host_out.size())),
                         Doubles(host_out)),
              kTolerance<Out>);
  }

  const cuda::KernelTable& host_ = ExecutorKernels();
  const cuda::KernelTable& device_ = cuda::CudaKernels();
  static constexpr cuda::Storage kStorage = StorageOf<T>();
};

using Storages = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(ElementwiseDeviceTest, Storages);

template <class T>
std::vector<T> RandomStored(size_t count, int seed) {
  return StoredAll<T>(RandomFloats(count, -2, 2, seed));
}

TYPED_TEST(ElementwiseDeviceTest, Normalise) {
  std::vector<uint8_t> pixels(3 * 1001);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = i * 89 % 256;
  std::vector<TypeParam> out(pixels.size());
  cuda::NormaliseArguments a;
  a.count = static_cast<int64_t>(pixels.size());
  for (int c = 0; c < 3; ++c) {
    a.scale[c] = 0.01f + 0.001f * c;
    a.shift[c] = -1.5f - 0.1f * c;
  }
  const DeviceCopy from(pixels), to(out);
  auto on_device = a;
  a.from = pixels.data();
  a.out = out.data();
  on_device.from = static_cast<const uint8_t*>(from.get());
  on_device.out = to.get();
  this->ExpectTheSame(
      this->host_.normalise(a, this->kStorage, nullptr),
      this->device_.normalise(on_device, this->kStorage, nullptr), out, to);
}

TYPED_TEST(ElementwiseDeviceTest, LayerNormAndItsSums) {
  constexpr int kTokens = 129;
  const auto x = RandomStored<TypeParam>(size_t{kBatch} * kTokens * kRow, 1);
  const auto shift = RandomFloats(kRow, -1, 1, 2);
  const auto weight = RandomFloats(kRow, 0.5f, 1.5f, 3);
  const auto bias = RandomFloats(kRow, -1, 1, 4);
  std::vector<TypeParam> out(x.size());
  std::vector<float> sums(size_t{kBatch} * cuda::LayerNormParts(kTokens) *
                          kRow);
  const DeviceCopy dx(x), dshift(shift), dweight(weight), dbias(bias),
      dout(out), dsums(sums);
  const auto host = this->host_.layer_norm(
      {kBatch, kTokens, kLayout, 1e-5f, x.data(), shift.data(), weight.data(),
       bias.data(), out.data(), sums.data()},
      this->kStorage, nullptr);
  const auto device = this->device_.layer_norm(
      {kBatch, kTokens, kLayout, 1e-5f, dx.get(), dshift.floats(),
       dweight.floats(), dbias.floats(), dout.get(), dsums.floats()},
      this->kStorage, nullptr);
  this->ExpectTheSame(host, device, out, dout);
  this->ExpectTheSame(host, device, sums, dsums);
}

TYPED_TEST(ElementwiseDeviceTest, GatedNorm) {
  constexpr int kTokens = 50;
  const auto y = RandomStored<TypeParam>(size_t{kBatch} * kTokens * kRow, 1);
  const auto x = RandomStored<TypeParam>(y.size(), 2);
  const auto scale = RandomFloats(size_t{kBatch} * kRow, 0, 1, 3);
  const auto weight = RandomFloats(kRow, 0.5f, 1.5f, 4);
  const auto bias = RandomFloats(kRow, -1, 1, 5);
  std::vector<TypeParam> out(y.size());
  const DeviceCopy dy(y), dx(x), dscale(scale), dweight(weight), dbias(bias),
      dout(out);
  this->ExpectTheSame(
      this->host_.gated_norm(
          {kBatch, kTokens, kLayout, 1e-5f, y.data(), x.data(), scale.data(),
           weight.data(), bias.data(), out.data()},
          this->kStorage, nullptr),
      this->device_.gated_norm(
          {kBatch, kTokens, kLayout, 1e-5f, dy.get(), dx.get(), dscale.floats(),
           dweight.floats(), dbias.floats(), dout.get()},
          this->kStorage, nullptr),
      out, dout);
}

TYPED_TEST(ElementwiseDeviceTest, DepthwiseGelu) {
  constexpr int kHeight = 29, kWidth = 17, kChannels = 72;
  const auto x =
      RandomStored<TypeParam>(size_t{kBatch} * kHeight * kWidth * kChannels, 1);
  const auto weight = RandomFloats(9 * kChannels, -1, 1, 2);
  const auto bias = RandomFloats(kChannels, -1, 1, 3);
  std::vector<TypeParam> out(x.size());
  const DeviceCopy dx(x), dweight(weight), dbias(bias), dout(out);
  const cuda::DepthwiseGeluArguments host = {
      kBatch,   kHeight,       kWidth,      kChannels,
      x.data(), weight.data(), bias.data(), out.data()};
  const cuda::DepthwiseGeluArguments device = {
      kBatch,   kHeight,          kWidth,         kChannels,
      dx.get(), dweight.floats(), dbias.floats(), dout.get()};
  const auto plan = cuda::PlanDepthwise(host, this->kStorage, 20);
  this->ExpectTheSame(
      this->host_.depthwise_gelu(host, plan, this->kStorage, nullptr),
      this->device_.depthwise_gelu(device, plan, this->kStorage, nullptr), out,
      dout);
}

TYPED_TEST(ElementwiseDeviceTest, TokenMean) {
  const auto x = RandomStored<TypeParam>(size_t{kBatch} * 130 * kRow, 1);
  std::vector<float> out(size_t{kBatch} * kRow);
  const DeviceCopy dx(x), dout(out);
  this->ExpectTheSame(
      this->host_.token_mean({kBatch, 130, kRow, x.data(), out.data()},
                             this->kStorage, nullptr),
      this->device_.token_mean({kBatch, 130, kRow, dx.get(), dout.floats()},
                               this->kStorage, nullptr),
      out, dout);
}

TYPED_TEST(ElementwiseDeviceTest, Affinity) {
  constexpr int kParts = 17, kHidden = 21;
  const auto sums = RandomFloats(size_t{kBatch} * kParts * kRow, -9, 9, 1);
  const auto weight1 = RandomFloats(size_t{kHidden} * kRow, -1, 1, 2);
  const auto bias1 = RandomFloats(kHidden, -1, 1, 3);
  const auto weight2 = RandomFloats(weight1.size(), -1, 1, 4);
  const auto bias2 = RandomFloats(kRow, -1, 1, 5);
  std::vector<float> out(size_t{kBatch} * kRow);
  const DeviceCopy dsums(sums), dweight1(weight1), dbias1(bias1),
      dweight2(weight2), dbias2(bias2), dout(out);
  this->ExpectTheSame(
      this->host_.affinity(
          {kBatch, kParts, 196, kRow, kHidden, sums.data(), weight1.data(),
           bias1.data(), weight2.data(), bias2.data(), out.data()},
          nullptr),
      this->device_.affinity(
          {kBatch, kParts, 196, kRow, kHidden, dsums.floats(),
           dweight1.floats(), dbias1.floats(), dweight2.floats(),
           dbias2.floats(), dout.floats()},
          nullptr),
      out, dout);
}

}  // namespace
}  // namespace groupmamba::testing
