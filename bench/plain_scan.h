// The yardstick of scan_bench: the selective scan as one would first write it.
#ifndef GROUPMAMBA_BENCH_PLAIN_SCAN_H_
#define GROUPMAMBA_BENCH_PLAIN_SCAN_H_

#include <cstdint>

namespace groupmamba::bench {

// Image, then token in row-major order, then channel, with softplus and exp
// from the standard library. All tensors are dense: u, delta and y [batch,
// token, channel]; b and c [batch, token]; a, d, delta_bias and the states h
// [channel].
//
// Compiled with -O3 -ffast-math -march=native, and everything is restrict, so
// that the compiler can vectorise the loop over channels: GCC 12 with
// glibc 2.36 does, with libmvec's vector exp and log1p.
void PlainScan(int64_t batch, int64_t tokens, int64_t channels,
               const float* __restrict__ u, const float* __restrict__ delta,
               const float* __restrict__ b, const float* __restrict__ c,
               const float* __restrict__ a, const float* __restrict__ d,
               const float* __restrict__ delta_bias, float* __restrict__ y,
               float* __restrict__ h);

}  // namespace groupmamba::bench

#endif  // GROUPMAMBA_BENCH_PLAIN_SCAN_H_
