#include "tests/reference/ss2d_core_oracle.h"

#include <cmath>

#include "tests/reference/selective_scan_oracle.h"

namespace groupmamba::reference {
namespace {

double SiluSlope(double x) {
  const double sigmoid = 1 / (1 + std::exp(-x));
  return sigmoid * (1 + x * (1 - sigmoid));
}

// Before its activation, u; and what x_proj makes of u, [token][R + 2].
struct Inputs {
  std::vector<double> u_input, projected;
  Scan scan;
};

Inputs MakeInputs(const Ss2dGroup& group, int height, int width,
                  const std::vector<double>& x) {
  const int d = group.width, rank = group.rank, tokens = height * width;
  Inputs in;
  Scan& scan = in.scan;
  scan.shape = {1, height, width, d};
  in.u_input = DepthwiseConvolution(height, width, d, group.convolution_weight,
                                    group.convolution_bias, x);
  for (double p : in.u_input) scan.u.push_back(Silu(p));
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
    in.projected.insert(in.projected.end(), projected.begin(), projected.end());
  }
  for (float a : group.a_logs) scan.a.push_back(-std::exp(double{a}));
  scan.d.assign(group.ds.begin(), group.ds.end());
  scan.delta_bias.assign(group.dt_projs_bias.begin(),
                         group.dt_projs_bias.end());
  return in;
}

// out = norm(y) * silu(z), of one token: writes dz, adds to the norm's own
// gradients, returns dy.
std::vector<double> NormAndGateBackward(const Ss2dGroup& group, double epsilon,
                                        const double* y, const double* z,
                                        const double* dout, double* dz,
                                        Ss2dGradients& out) {
  const int d = group.width;
  double mean = 0, variance = 0;
  for (int c = 0; c < d; ++c) mean += y[c] / d;
  for (int c = 0; c < d; ++c) variance += (y[c] - mean) * (y[c] - mean) / d;
  const double scale = 1 / std::sqrt(variance + epsilon);
  std::vector<double> unit(d), dunit(d), dy(d);
  double sum = 0, product = 0;
  for (int c = 0; c < d; ++c) {
    unit[c] = (y[c] - mean) * scale;
    const double weight = group.out_norm_weight[c];
    const double dnorm = dout[c] * Silu(z[c]);
    dz[c] =
        dout[c] * (unit[c] * weight + group.out_norm_bias[c]) * SiluSlope(z[c]);
    out.out_norm_weight[c] += dnorm * unit[c];
    out.out_norm_bias[c] += dnorm;
    dunit[c] = dnorm * weight;
    sum += dunit[c];
    product += dunit[c] * unit[c];
  }
  for (int c = 0; c < d; ++c) {
    dy[c] = scale * (dunit[c] - sum / d - unit[c] * product / d);
  }
  return dy;
}

// From the scan's gradients to du: adds what b, c and r hand back to
// scan_gradients.du, and sums the weights' gradients.
void ProjectionsBackward(const Ss2dGroup& group, const Inputs& in,
                         ScanGradients& scan_gradients, Ss2dGradients& out) {
  const int d = group.width, rank = group.rank;
  for (size_t t = 0; t < in.scan.b.size(); ++t) {
    std::vector<double> dprojected(rank + 2);
    dprojected[rank] = scan_gradients.db[t];
    dprojected[rank + 1] = scan_gradients.dc[t];
    for (int c = 0; c < d; ++c)
      for (int r = 0; r < rank; ++r) {
        const double ddelta = scan_gradients.ddelta[t * d + c];
        dprojected[r] += ddelta * group.dt_projs_weight[c * rank + r];
        out.dt_projs_weight[c * rank + r] +=
            ddelta * in.projected[t * (rank + 2) + r];
      }
    for (int r = 0; r < rank + 2; ++r)
      for (int c = 0; c < d; ++c) {
        scan_gradients.du[t * d + c] +=
            dprojected[r] * group.x_proj_weight[r * d + c];
        out.x_proj_weight[r * d + c] += dprojected[r] * in.scan.u[t * d + c];
      }
  }
}

// dy of the convolution's output.
void ConvolutionBackward(const Ss2dGroup& group, int height, int width,
                         const std::vector<double>& x,
                         const std::vector<double>& dy, Ss2dGradients& out) {
  const int d = group.width;
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column)
      for (int c = 0; c < d; ++c) {
        const double gradient = dy[(row * width + column) * d + c];
        out.convolution_bias[c] += gradient;
        for (int ty = 0; ty < 3; ++ty)
          for (int tx = 0; tx < 3; ++tx) {
            const int r = row + ty - 1, k = column + tx - 1;
            if (r < 0 || r >= height || k < 0 || k >= width) continue;
            const size_t at = (r * width + k) * d + c;
            const int tap = c * 9 + ty * 3 + tx;
            out.dx[at] += gradient * group.convolution_weight[tap];
            out.convolution_weight[tap] += gradient * x[at];
          }
      }
}

}  // namespace

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
  const int d = group.width;
  std::vector<double> y =
      Forward(MakeInputs(group, height, width, x).scan, direction);
  for (int t = 0; t < height * width; ++t) {
    LayerNorm(d, epsilon, group.out_norm_weight.data(),
              group.out_norm_bias.data(), &y[t * d]);
  }
  for (size_t i = 0; i < y.size(); ++i) y[i] *= Silu(z[i]);
  return y;
}

Ss2dGradients Ss2dCoreBackward(const Ss2dGroup& group, int height, int width,
                               kernels::Direction direction, double epsilon,
                               const std::vector<double>& x,
                               const std::vector<double>& z,
                               const std::vector<double>& dout) {
  const int d = group.width;
  Ss2dGradients out;
  out.dx.resize(x.size());
  out.dz.resize(z.size());
  out.convolution_weight.resize(d * 9);
  out.convolution_bias.resize(d);
  out.x_proj_weight.resize((group.rank + 2) * d);
  out.dt_projs_weight.resize(d * group.rank);
  out.out_norm_weight.resize(d);
  out.out_norm_bias.resize(d);
  const Inputs in = MakeInputs(group, height, width, x);
  const std::vector<double> y = Forward(in.scan, direction);
  std::vector<double> dy;
  for (int t = 0; t < height * width; ++t) {
    const std::vector<double> of_token =
        NormAndGateBackward(group, epsilon, &y[t * d], &z[t * d], &dout[t * d],
                            &out.dz[t * d], out);
    dy.insert(dy.end(), of_token.begin(), of_token.end());
  }
  ScanGradients scan_gradients = Backward(in.scan, direction, dy);
  ProjectionsBackward(group, in, scan_gradients, out);
  out.dt_projs_bias = scan_gradients.ddelta_bias;
  out.ds = scan_gradients.dd;
  // A = -exp(a_logs) is its own slope.
  for (int c = 0; c < d; ++c) {
    out.a_logs.push_back(scan_gradients.da[c] * in.scan.a[c]);
  }
  for (size_t i = 0; i < in.u_input.size(); ++i) {
    scan_gradients.du[i] *= SiluSlope(in.u_input[i]);
  }
  ConvolutionBackward(group, height, width, x, scan_gradients.du, out);
  return out;
}

}  // namespace groupmamba::reference
