#include "tests/reference/ss2d_core_oracle.h"

#include <cmath>

#include "tests/reference/selective_scan_oracle.h"

namespace groupmamba::reference {

double Silu(double x) { return x / (1 + std::exp(-x)); }

std::vector<double> DepthwiseConvolution(int height, int width, int channels,
                                         const std::vector<float>& weight,
                                         const std::vector<float>& bias,
                                         const std::vector<double>& x) {
  std::vector<double> y(x.size());
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column)
      for (int c = 0; c < channels; ++c) {
        double sum = bias[c];
        for (int dy = -1; dy <= 1; ++dy)
          for (int dx = -1; dx <= 1; ++dx) {
            const int r = row + dy, k = column + dx;
            if (r < 0 || r >= height || k < 0 || k >= width) continue;
            sum += weight[c * 9 + (dy + 1) * 3 + dx + 1] *
                   x[(r * width + k) * channels + c];
          }
        y[(row * width + column) * channels + c] = sum;
      }
  return y;
}

void LayerNorm(int count, double epsilon, const float* weight,
               const float* bias, double* x) {
  double mean = 0, variance = 0;
  for (int i = 0; i < count; ++i) mean += x[i] / count;
  for (int i = 0; i < count; ++i) {
    variance += (x[i] - mean) * (x[i] - mean) / count;
  }
  for (int i = 0; i < count; ++i) {
    x[i] = (x[i] - mean) / std::sqrt(variance + epsilon) * weight[i] + bias[i];
  }
}

std::vector<double> Ss2dCore(const Ss2dGroup& group, int height, int width,
                             kernels::Direction direction, double epsilon,
                             const std::vector<double>& x,
                             const std::vector<double>& z) {
  const int d = group.width, rank = group.rank, tokens = height * width;
  Scan scan;
  scan.shape = {1, height, width, d};
  scan.u = DepthwiseConvolution(height, width, d, group.convolution_weight,
                                group.convolution_bias, x);
  for (double& u : scan.u) u = Silu(u);
  scan.delta.resize(scan.u.size());
  for (int t = 0; t < tokens; ++t) {
    std::vector<double> projected(rank + 2);
    for (int r = 0; r < rank + 2; ++r)
      for (int c = 0; c < d; ++c) {
        projected[r] += group.x_proj_weight[r * d + c] * scan.u[t * d + c];
      }
    for (int c = 0; c < d; ++c)
      for (int r = 0; r < rank; ++r) {
        scan.delta[t * d + c] +=
            projected[r] * group.dt_projs_weight[c * rank + r];
      }
    scan.b.push_back(projected[rank]);
    scan.c.push_back(projected[rank + 1]);
  }
  for (float a : group.a_logs) scan.a.push_back(-std::exp(double{a}));
  scan.d.assign(group.ds.begin(), group.ds.end());
  scan.delta_bias.assign(group.dt_projs_bias.begin(),
                         group.dt_projs_bias.end());
  std::vector<double> y = Forward(scan, direction);
  for (int t = 0; t < tokens; ++t) {
    LayerNorm(d, epsilon, group.out_norm_weight.data(),
              group.out_norm_bias.data(), &y[t * d]);
  }
  for (size_t i = 0; i < y.size(); ++i) y[i] *= Silu(z[i]);
  return y;
}

}  // namespace groupmamba::reference
