// A kernel run by the executor in every way, compared with what it should give.
#ifndef GROUPMAMBA_TESTS_KERNELS_CUDA_COMPARISON_H_
#define GROUPMAMBA_TESTS_KERNELS_CUDA_COMPARISON_H_

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "kernels/cuda/elementwise.h"
#include "tests/kernels/cuda/device_values.h"
#include "tests/testing/cuda_executor.h"

namespace groupmamba::testing {

template <class T>
inline constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 5e-3;

template <class T>
std::vector<T> StoredAll(const std::vector<float>& values) {
  std::vector<T> stored;
  for (float value : values) stored.push_back(Stored<T>(value));
  return stored;
}

template <class T>
std::vector<double> Doubles(const std::vector<T>& values) {
  std::vector<double> doubles;
  for (T value : values) doubles.push_back(ToFloat(value));
  return doubles;
}

// Runs `body` over the inputs and the output in three orders and with the worst
// units, and compares: the same bits in every order, `want` within tolerance,
// every value written once.
template <class Out>
class Comparison {
 public:
  Comparison(std::vector<Out>& out, double tolerance)
      : out_(out), number_(executor_.Output(out)), tolerance_(tolerance) {}

  template <class T>
  Comparison& Reads(const std::vector<T>& input) {
    executor_.Input(input);
    return *this;
  }

  // A second output, which the caller compares.
  template <class T>
  Comparison& Writes(const std::vector<T>& output) {
    executor_.Output(output);
    return *this;
  }

  void Expect(cuda::Grid grid, int shared_bytes,
              const std::vector<double>& want,
              const std::function<void(const ExecutorContext&)>& body) {
    ASSERT_GT(grid.blocks, 0);
    std::vector<Out> first;
    for (const ExecutorOptions& options : {ExecutorOptions{},
                                           {.order = Order::kReverse},
                                           {.order = Order::kShuffled},
                                           {.worst_units = true}}) {
      ASSERT_EQ(executor_.Launch({grid.blocks, grid.threads, shared_bytes},
                                 options, body),
                "");
      EXPECT_TRUE(executor_.WroteAllOf(number_));
      EXPECT_LE(RelativeL2(Doubles(out_), want), tolerance_);
      if (first.empty()) first = out_;
      EXPECT_TRUE(options.worst_units || SameBits(out_, first));
    }
  }

 private:
  CudaExecutor executor_;
  std::vector<Out>& out_;
  int number_;
  double tolerance_;
};

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_CUDA_COMPARISON_H_
