#include "tests/kernels/guarded_tensor.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace groupmamba::testing {

GuardedTensor::GuardedTensor(int64_t batch, int64_t tokens, int64_t channels,
                             int64_t gap)
    : tokens_(tokens),
      channels_(channels),
      token_stride_(channels + gap),
      image_stride_(tokens * token_stride_ + gap),
      dense_size_(batch * tokens * channels),
      size_(OffsetOf(dense_size_ - 1) + 1) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  const int64_t bytes = size_ * static_cast<int64_t>(sizeof(float));
  const int64_t pages = (bytes + page - 1) / page;
  mapping_size_ = (pages + 1) * page;
  void* mapping = mmap(nullptr, mapping_size_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    std::perror("mmap");
    std::abort();
  }
  mapping_ = static_cast<char*>(mapping);
  char* const end = mapping_ + pages * page;
  if (mprotect(end, page, PROT_NONE) != 0) {
    std::perror("mprotect");
    std::abort();
  }
  data_ = reinterpret_cast<float*>(end - bytes);
  std::fill_n(data_, size_, std::numeric_limits<float>::quiet_NaN());
}

GuardedTensor::~GuardedTensor() { munmap(mapping_, mapping_size_); }

void GuardedTensor::Fill(const std::vector<double>& dense) {
  for (int64_t i = 0; i < dense_size_; ++i) {
    data_[OffsetOf(i)] = static_cast<float>(dense[i]);
  }
}

std::vector<double> GuardedTensor::ToDense() const {
  std::vector<double> dense(dense_size_);
  for (int64_t i = 0; i < dense_size_; ++i) dense[i] = data_[OffsetOf(i)];
  return dense;
}

bool GuardedTensor::GapsAreUntouched() const {
  std::vector<bool> is_element(size_);
  for (int64_t i = 0; i < dense_size_; ++i) is_element[OffsetOf(i)] = true;
  for (int64_t i = 0; i < size_; ++i) {
    if (!is_element[i] && !std::isnan(data_[i])) return false;
  }
  return true;
}

kernels::TokenTensor GuardedTensor::view() const {
  return {data_, image_stride_, token_stride_};
}

kernels::ConstTokenTensor GuardedTensor::const_view() const {
  return {data_, image_stride_, token_stride_};
}

int64_t GuardedTensor::OffsetOf(int64_t dense_index) const {
  const int64_t channel = dense_index % channels_;
  const int64_t token = dense_index / channels_ % tokens_;
  const int64_t image = dense_index / channels_ / tokens_;
  return image * image_stride_ + token * token_stride_ + channel;
}

}  // namespace groupmamba::testing
