// The backward pass of the SS2D core (ss2d_core.h) on a GPU: from the gradient
// of its output those of its input and of every parameter, in two launches.
//
// Everything in between is computed again from xz and from the states that the
// forward pass saved, so that nothing else has to be kept for it. With y, h,
// Delta as there, a dot for a gradient, and g_t that of h_t:
//
//   g_t      = c_t y'_t + exp(Delta_(t+1) a) g_(t+1)
//   u'_t     = d y'_t + g_t Delta_t b_t + W_x (b'_t, c'_t, r'_t)
//   Delta'_t = g_t (b_t u_t + a exp(Delta_t a) h_(t-1))
//   b'_t     = sum g_t Delta_t u_t,  c'_t = sum y'_t h_t     over channels
//
// No atomics on sums: gradients are the same to the bit in every launch, and
// however many segments there are.
//
// Thread-safety: any thread; calls that share scratch or partials must be on
// one stream.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_H_

#include <cstddef>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/ss2d_core.h"

namespace groupmamba::cuda {

// How a launch cuts the work, as PlanSs2d does; the answer does not depend on
// it, to the bit. Segments are whole bands of lines, of at most 56 tokens where
// a line has no more: more segments than bands leave some empty. Not supported
// beyond that: lines so long that a block cannot hold three.
Ss2dPlan PlanSs2dBackward(const Ss2dShape& shape, Storage storage,
                          int segments = 0, int min_blocks = 1);

// Device memory that a launch needs, zero before the first one; every launch
// that completes leaves it zero.
size_t Ss2dBackwardScratchBytes(const Ss2dShape& shape, Storage storage,
                                const Ss2dPlan& plan);

// Floats of the parameters' gradients before they are summed over the batch.
size_t Ss2dPartialFloats(const Ss2dShape& shape);

// Device memory, aligned to 16 bytes. `xz` and the gradients of it and of the
// output are in `storage` and laid out as in LaunchSs2dCore; padding of d_out
// has to be finite, that of the results is zero.
struct Ss2dBackwardBuffers {
  const void* xz = nullptr;
  const float* parameters = nullptr;
  float* states = nullptr;  // what LaunchSs2dCore saved of the same xz
  const void* d_out = nullptr;
  void* scratch = nullptr;
  float* partials = nullptr;      // Ss2dPartialFloats, overwritten
  void* d_xz = nullptr;           // result
  float* d_parameters = nullptr;  // result, as the packed parameters lie
};

LaunchError LaunchSs2dBackward(const Ss2dShape& shape, const Ss2dPlan& plan,
                               Storage storage, float epsilon,
                               const Ss2dBackwardBuffers& buffers,
                               CUstream_st* stream);

// One group's gradients with the state dict's shapes.
struct Ss2dGradients {
  float* convolution_weight;  // [d][1][3][3]
  float* convolution_bias;    // [d]
  float* x_proj_weight;       // [R + 2][d]: r, b, c
  float* dt_projs_weight;     // [d][R]
  float* dt_projs_bias;       // [d]
  float* a_logs;              // [d]
  float* ds;                  // [d]
  float* out_norm_weight;     // [d]
  float* out_norm_bias;       // [d]
};

// The inverse of PackSs2dParameters for gradients, in host memory: overwrites
// group `group`'s. The packed parameters give A, through which a_logs goes.
void UnpackSs2dGradients(const Ss2dShape& shape, int group,
                         const float* packed_parameters,
                         const float* packed_gradients,
                         const Ss2dGradients& to);

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_H_
