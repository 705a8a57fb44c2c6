#include "bench/plain_scan.h"

#include <cmath>

namespace groupmamba::bench {

void PlainScan(int64_t batch, int64_t tokens, int64_t channels,
               const float* __restrict__ u, const float* __restrict__ delta,
               const float* __restrict__ b, const float* __restrict__ c,
               const float* __restrict__ a, const float* __restrict__ d,
               const float* __restrict__ delta_bias, float* __restrict__ y,
               float* __restrict__ h) {
  for (int64_t image = 0; image < batch; ++image) {
    for (int64_t i = 0; i < channels; ++i) h[i] = 0;
    for (int64_t token = 0; token < tokens; ++token) {
      const int64_t row = image * tokens + token;
      for (int64_t i = 0; i < channels; ++i) {
        const float x = delta[row * channels + i] + delta_bias[i];
        const float step = x > 20 ? x : std::log1p(std::exp(x));
        const float ui = u[row * channels + i];
        h[i] = std::exp(step * a[i]) * h[i] + step * b[row] * ui;
        y[row * channels + i] = c[row] * h[i] + d[i] * ui;
      }
    }
  }
}

}  // namespace groupmamba::bench
