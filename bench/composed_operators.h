// The yardsticks of training: our operators as compositions of LibTorch's
// (model/ss2d_composition.h).

#ifndef GROUPMAMBA_BENCH_COMPOSED_OPERATORS_H_
#define GROUPMAMBA_BENCH_COMPOSED_OPERATORS_H_

#include "torch/library.h"

namespace groupmamba::bench {

// While it lives, whoever calls groupmamba::ss2d_core with autograd gets the
// composition: the same network, the same program, another SS2D. If
// `everything`, groupmamba::depthwise_gelu, too, so that no kernel of ours is
// left.
class ComposedOperators {
 public:
  explicit ComposedOperators(bool everything);

 private:
  torch::Library override_;
};

}  // namespace groupmamba::bench

#endif  // GROUPMAMBA_BENCH_COMPOSED_OPERATORS_H_
