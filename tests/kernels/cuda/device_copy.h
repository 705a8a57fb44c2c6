// Memory of a GPU for the tests that have one.
#ifndef GROUPMAMBA_TESTS_KERNELS_CUDA_DEVICE_COPY_H_
#define GROUPMAMBA_TESTS_KERNELS_CUDA_DEVICE_COPY_H_

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace groupmamba::testing {

inline bool HasGpu() {
  int devices = 0;
  return cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
}

// A copy of host memory on the device; zeros without a source.
class DeviceCopy {
 public:
  DeviceCopy(const void* from, size_t bytes) {
    EXPECT_EQ(cudaMalloc(&data_, bytes + 16), cudaSuccess);
    EXPECT_EQ(cudaMemset(data_, 0, bytes + 16), cudaSuccess);
    if (from != nullptr) {
      EXPECT_EQ(cudaMemcpy(data_, from, bytes, cudaMemcpyHostToDevice),
                cudaSuccess);
    }
  }
  template <class T>
  explicit DeviceCopy(const std::vector<T>& from)
      : DeviceCopy(from.data(), from.size() * sizeof(T)) {}
  ~DeviceCopy() { cudaFree(data_); }
  DeviceCopy(const DeviceCopy&) = delete;
  DeviceCopy& operator=(const DeviceCopy&) = delete;

  void* get() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }

  // What is there after all launches.
  template <class T>
  std::vector<T> Read(size_t count) const {
    std::vector<T> values(count);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, count * sizeof(T),
                         cudaMemcpyDeviceToHost),
              cudaSuccess);
    return values;
  }

 private:
  void* data_ = nullptr;
};

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_CUDA_DEVICE_COPY_H_
