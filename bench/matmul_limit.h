// How fast this machine multiplies matrices at best: the roof over a model that
// is products for nine tenths.

#ifndef GROUPMAMBA_BENCH_MATMUL_LIMIT_H_
#define GROUPMAMBA_BENCH_MATMUL_LIMIT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace groupmamba::bench {

// A product to time. Run() does it once, on the threads that it was made for;
// the same thread must make all calls.
struct MatmulContender {
  std::string name;
  double flops;
  std::function<void()> run;
};

// LibTorch's 2048-cubed product, plain and with oneDNN's packed weights, and
// our tile product, on tiles that fit a core's cache. In bf16 LibTorch's plain
// one only where the processor has instructions for it: without, it takes
// minutes.
std::vector<MatmulContender> MatmulContenders(int threads, bool bf16);

}  // namespace groupmamba::bench

#endif  // GROUPMAMBA_BENCH_MATMUL_LIMIT_H_
