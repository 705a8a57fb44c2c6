#include "tests/reference/selective_scan_oracle.h"

#include <cmath>

namespace groupmamba::reference {
namespace {

using kernels::Direction;

double Softplus(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// One image and channel: where its elements lie, and its states.
struct Sequence {
  std::vector<size_t> token_at;    // of b and c, in scan order
  std::vector<size_t> element_at;  // of u, delta and y, in scan order
  std::vector<double> delta;       // after bias and softplus
  std::vector<double> decay;
  std::vector<double> h;
};

Sequence Run(const Scan& scan, const std::vector<int>& order, int image,
             int channel) {
  Sequence s;
  double h = 0;
  for (int token : order) {
    const size_t at = image * order.size() + token;
    const size_t element = at * scan.shape.channels + channel;
    const double delta =
        Softplus(scan.delta[element] + scan.delta_bias[channel]);
    const double decay = std::exp(delta * scan.a[channel]);
    h = decay * h + delta * scan.b[at] * scan.u[element];
    s.token_at.push_back(at);
    s.element_at.push_back(element);
    s.delta.push_back(delta);
    s.decay.push_back(decay);
    s.h.push_back(h);
  }
  return s;
}

}  // namespace

std::vector<int> TokenSequence(int height, int width, Direction direction) {
  std::vector<int> tokens;
  switch (direction) {
    case Direction::kLeftRight:
      for (int row = 0; row < height; ++row)
        for (int column = 0; column < width; ++column)
          tokens.push_back(row * width + column);
      break;
    case Direction::kRightLeft:
      for (int row = height - 1; row >= 0; --row)
        for (int column = width - 1; column >= 0; --column)
          tokens.push_back(row * width + column);
      break;
    case Direction::kTopBottom:
      for (int column = 0; column < width; ++column)
        for (int row = 0; row < height; ++row)
          tokens.push_back(row * width + column);
      break;
    case Direction::kBottomTop:
      for (int column = width - 1; column >= 0; --column)
        for (int row = height - 1; row >= 0; --row)
          tokens.push_back(row * width + column);
      break;
  }
  return tokens;
}

std::vector<double> Forward(const Scan& scan, Direction direction) {
  const auto order =
      TokenSequence(scan.shape.height, scan.shape.width, direction);
  std::vector<double> y(scan.u.size());
  for (int image = 0; image < scan.shape.batch; ++image) {
    for (int channel = 0; channel < scan.shape.channels; ++channel) {
      const Sequence s = Run(scan, order, image, channel);
      for (size_t t = 0; t < order.size(); ++t) {
        const size_t element = s.element_at[t];
        y[element] =
            scan.c[s.token_at[t]] * s.h[t] + scan.d[channel] * scan.u[element];
      }
    }
  }
  return y;
}

ScanGradients Backward(const Scan& scan, Direction direction,
                       const std::vector<double>& dy) {
  const auto order =
      TokenSequence(scan.shape.height, scan.shape.width, direction);
  ScanGradients out;
  out.du.resize(scan.u.size());
  out.ddelta.resize(scan.u.size());
  out.db.resize(scan.b.size());
  out.dc.resize(scan.c.size());
  out.da.resize(scan.a.size());
  out.dd.resize(scan.a.size());
  out.ddelta_bias.resize(scan.a.size());
  for (int image = 0; image < scan.shape.batch; ++image) {
    for (int channel = 0; channel < scan.shape.channels; ++channel) {
      const Sequence s = Run(scan, order, image, channel);
      double from_later = 0;  // the gradient by h_t that h_(t+1) hands back
      for (int t = static_cast<int>(order.size()) - 1; t >= 0; --t) {
        const size_t at = s.token_at[t];
        const size_t element = s.element_at[t];
        const double h_before = t == 0 ? 0 : s.h[t - 1];
        const double u = scan.u[element];
        const double dh = scan.c[at] * dy[element] + from_later;
        const double ddecay = dh * h_before;
        const double d_delta =
            dh * scan.b[at] * u + ddecay * s.decay[t] * scan.a[channel];
        const double d_input =
            d_delta * Sigmoid(scan.delta[element] + scan.delta_bias[channel]);
        out.du[element] =
            scan.d[channel] * dy[element] + dh * s.delta[t] * scan.b[at];
        out.ddelta[element] = d_input;
        out.db[at] += dh * s.delta[t] * u;
        out.dc[at] += dy[element] * s.h[t];
        out.da[channel] += ddecay * s.decay[t] * s.delta[t];
        out.dd[channel] += dy[element] * u;
        out.ddelta_bias[channel] += d_input;
        from_later = s.decay[t] * dh;
      }
    }
  }
  return out;
}

}  // namespace groupmamba::reference
