// The yardstick of training: groupmamba::ss2d_core as a composition of
// LibTorch's operators (tests/reference/ss2d_composition.h).

#ifndef GROUPMAMBA_BENCH_COMPOSED_SS2D_H_
#define GROUPMAMBA_BENCH_COMPOSED_SS2D_H_

#include "torch/library.h"

namespace groupmamba::bench {

// While it lives, whoever calls the operator with autograd gets the
// composition: the same network, the same program, another SS2D.
class ComposedSs2d {
 public:
  ComposedSs2d();

 private:
  torch::Library override_;
};

}  // namespace groupmamba::bench

#endif  // GROUPMAMBA_BENCH_COMPOSED_SS2D_H_
