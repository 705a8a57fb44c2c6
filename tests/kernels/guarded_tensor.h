// A tensor that ends with the last float before memory that may not be touched,
// so that reading or writing one channel too far ends the test, whatever the
// instruction (address sanitizers do not see into vector intrinsics).
#ifndef GROUPMAMBA_TESTS_KERNELS_GUARDED_TENSOR_H_
#define GROUPMAMBA_TESTS_KERNELS_GUARDED_TENSOR_H_

#include <cstdint>
#include <vector>

#include "kernels/scan_types.h"

namespace groupmamba::testing {

// [batch, token, channel] fp32; `gap` floats lie between one token's channels
// and the next one's, and between images too. The gaps hold NaN, which spoils
// every result it gets into.
class GuardedTensor {
 public:
  GuardedTensor(int64_t batch, int64_t tokens, int64_t channels, int64_t gap);
  ~GuardedTensor();
  GuardedTensor(const GuardedTensor&) = delete;
  GuardedTensor& operator=(const GuardedTensor&) = delete;

  // `dense` has batch * tokens * channels values.
  void Fill(const std::vector<double>& dense);
  std::vector<double> ToDense() const;

  // Whether every gap still holds NaN.
  bool GapsAreUntouched() const;

  float* data() const { return data_; }
  kernels::TokenTensor view() const;
  kernels::ConstTokenTensor const_view() const;

 private:
  int64_t OffsetOf(int64_t dense_index) const;

  const int64_t tokens_;
  const int64_t channels_;
  const int64_t token_stride_;
  const int64_t image_stride_;
  const int64_t dense_size_;
  const int64_t size_;
  char* mapping_ = nullptr;  // owned; ends with the forbidden page
  int64_t mapping_size_ = 0;
  float* data_ = nullptr;
};

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_GUARDED_TENSOR_H_
