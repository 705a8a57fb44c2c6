#include "tests/reference/paper_oracle.h"

#include <cmath>
#include <functional>

#include "tests/reference/selective_scan_oracle.h"

namespace groupmamba::reference {
namespace {

// A picture or its tokens: element (row, column, channel) lies at
// (row * width + column) * channels + channel.
struct Map {
  int64_t height, width, channels;
  std::vector<double> values;

  Map(int64_t h, int64_t w, int64_t c)
      : height(h), width(w), channels(c), values(h * w * c) {}
  int64_t tokens() const { return height * width; }
  double& at(int64_t token, int64_t c) { return values[token * channels + c]; }
  double at(int64_t token, int64_t c) const {
    return values[token * channels + c];
  }
};

double Silu(double x) { return x / (1 + std::exp(-x)); }
double Gelu(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2))); }
double Relu(double x) { return x > 0 ? x : 0; }
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Map Apply(double (*function)(double), Map x) {
  for (double& value : x.values) value = function(value);
  return x;
}

// Element by element.
Map Combine(const Map& left, const Map& right,
            const std::function<double(double, double)>& function) {
  Map y = left;
  for (size_t i = 0; i < y.values.size(); ++i) {
    y.values[i] = function(left.values[i], right.values[i]);
  }
  return y;
}

Map Add(const Map& left, const Map& right) {
  return Combine(left, right, std::plus<double>());
}

Map Times(const Map& left, const Map& right) {
  return Combine(left, right, std::multiplies<double>());
}

Map Slice(const Map& x, int64_t first, int64_t channels) {
  Map y(x.height, x.width, channels);
  for (int64_t t = 0; t < x.tokens(); ++t) {
    for (int64_t c = 0; c < channels; ++c) y.at(t, c) = x.at(t, first + c);
  }
  return y;
}

// The mean over all tokens, as a picture of one.
Map AveragePool(const Map& x) {
  Map y(1, 1, x.channels);
  for (int64_t c = 0; c < x.channels; ++c) {
    for (int64_t t = 0; t < x.tokens(); ++t) y.at(0, c) += x.at(t, c);
    y.at(0, c) /= x.tokens();
  }
  return y;
}

class PaperNetwork {
 public:
  PaperNetwork(const ModelConfig& config, const Weights& weights)
      : config_(config), weights_(weights) {}

  Map Logits(const Map& picture) const {
    Map x = Stem(picture);
    for (int s = 0; s < kStages; ++s) {
      const std::string stage = std::to_string(s + 1);
      if (s > 0) x = PatchEmbedding("patch_embed" + stage, x);
      for (int i = 0; i < config_.depths[s]; ++i) {
        x = Block("block" + stage + "." + std::to_string(i), x);
      }
      if (s < kStages - 1) x = LayerNorm("norm" + stage, x, 1e-6);
    }
    return Linear("head", LayerNorm("norm4", AveragePool(x), 1e-6));
  }

 private:
  const std::vector<float>& W(const std::string& name) const {
    return weights_.at(name);
  }

  // y = x M^T, M [out, in] row-major.
  static Map Product(const Map& x, const float* matrix, int64_t out) {
    Map y(x.height, x.width, out);
    for (int64_t t = 0; t < x.tokens(); ++t) {
      for (int64_t o = 0; o < out; ++o) {
        for (int64_t c = 0; c < x.channels; ++c) {
          y.at(t, o) += x.at(t, c) * matrix[o * x.channels + c];
        }
      }
    }
    return y;
  }

  Map Biased(Map x, const std::string& name) const {
    for (int64_t t = 0; t < x.tokens(); ++t) {
      for (int64_t c = 0; c < x.channels; ++c) x.at(t, c) += W(name)[c];
    }
    return x;
  }

  Map Linear(const std::string& name, const Map& x) const {
    const auto& bias = W(name + ".bias");
    return Biased(Product(x, W(name + ".weight").data(), bias.size()),
                  name + ".bias");
  }

  Map LayerNorm(const std::string& name, const Map& x, double epsilon) const {
    Map y = x;
    for (int64_t t = 0; t < x.tokens(); ++t) {
      double mean = 0, variance = 0;
      for (int64_t c = 0; c < x.channels; ++c) mean += x.at(t, c) / x.channels;
      for (int64_t c = 0; c < x.channels; ++c) {
        variance += std::pow(x.at(t, c) - mean, 2) / x.channels;
      }
      for (int64_t c = 0; c < x.channels; ++c) {
        y.at(t, c) = (x.at(t, c) - mean) / std::sqrt(variance + epsilon) *
                         W(name + ".weight")[c] +
                     W(name + ".bias")[c];
      }
    }
    return y;
  }

  // k x k with zero padding k / 2; `weight` [out, in / groups, k, k], with
  // either one group or one a channel.
  Map Convolution(const std::string& weight, const Map& x, int64_t out,
                  int64_t kernel, int64_t stride, bool depthwise) const {
    Map y((x.height - 1) / stride + 1, (x.width - 1) / stride + 1, out);
    const int64_t inputs = depthwise ? 1 : x.channels;
    for (int64_t row = 0; row < y.height; ++row) {
      for (int64_t column = 0; column < y.width; ++column) {
        for (int64_t o = 0; o < out; ++o) {
          double sum = 0;
          for (int64_t i = 0; i < inputs; ++i) {
            for (int64_t ky = 0; ky < kernel; ++ky) {
              for (int64_t kx = 0; kx < kernel; ++kx) {
                const int64_t in_row = row * stride + ky - kernel / 2;
                const int64_t in_column = column * stride + kx - kernel / 2;
                if (in_row < 0 || in_row >= x.height || in_column < 0 ||
                    in_column >= x.width) {
                  continue;
                }
                sum +=
                    x.at(in_row * x.width + in_column, depthwise ? o : i) *
                    W(weight)[((o * inputs + i) * kernel + ky) * kernel + kx];
              }
            }
          }
          y.at(row * y.width + column, o) = sum;
        }
      }
    }
    return y;
  }

  // In evaluation: by the running statistics.
  Map BatchNorm(const std::string& name, Map x) const {
    for (int64_t t = 0; t < x.tokens(); ++t) {
      for (int64_t c = 0; c < x.channels; ++c) {
        x.at(t, c) = (x.at(t, c) - W(name + ".running_mean")[c]) /
                         std::sqrt(W(name + ".running_var")[c] + 1e-5) *
                         W(name + ".weight")[c] +
                     W(name + ".bias")[c];
      }
    }
    return x;
  }

  Map PatchEmbedding(const std::string& name, const Map& x) const {
    const auto& bias = W(name + ".proj.bias");
    return LayerNorm(
        name + ".norm",
        Biased(Convolution(name + ".proj.weight", x, bias.size(), /*kernel=*/3,
                           /*stride=*/2, /*depthwise=*/false),
               name + ".proj.bias"),
        1e-5);
  }

  Map Stem(const Map& picture) const {
    Map x = picture;
    for (const int index : {0, 3, 6}) {
      const std::string convolution =
          "patch_embed1.conv." + std::to_string(index);
      const std::string norm = "patch_embed1.conv." + std::to_string(index + 1);
      x = Convolution(convolution + ".weight", x, config_.stem_width,
                      index == 0 ? 7 : 3, index == 0 ? 2 : 1,
                      /*depthwise=*/false);
      x = Apply(Relu, BatchNorm(norm, x));
    }
    return PatchEmbedding("patch_embed1", x);
  }

  Map FeedForward(const std::string& name, const Map& x) const {
    return Linear(name + ".fc2", Apply(Gelu, Linear(name + ".fc1", x)));
  }

  Map Mamba(const std::string& name, const Map& x,
            kernels::Direction direction) const {
    const int64_t d = x.channels;
    const float* in_proj = W(name + ".in_proj.weight").data();
    Map u = Product(x, in_proj, d);
    const Map gate = Apply(Silu, Product(x, in_proj + d * d, d));
    u = Biased(Convolution(name + ".conv2d.weight", u, d, /*kernel=*/3,
                           /*stride=*/1, /*depthwise=*/true),
               name + ".conv2d.bias");
    u = Apply(Silu, u);
    const int64_t rank = W(name + ".dt_projs_weight").size() / d;
    const Map projected =
        Product(u, W(name + ".x_proj_weight").data(), rank + 2);
    const Map delta = Product(Slice(projected, 0, rank),
                              W(name + ".dt_projs_weight").data(), d);
    Scan scan;
    scan.shape = {1, x.height, x.width, d};
    scan.u = u.values;
    scan.delta = delta.values;
    scan.b = Slice(projected, rank, 1).values;
    scan.c = Slice(projected, rank + 1, 1).values;
    for (int64_t c = 0; c < d; ++c) {
      scan.a.push_back(-std::exp(double{W(name + ".A_logs")[c]}));
      scan.d.push_back(W(name + ".Ds")[c]);
      scan.delta_bias.push_back(W(name + ".dt_projs_bias")[c]);
    }
    Map y = u;
    y.values = Forward(scan, direction);
    return Product(Times(LayerNorm(name + ".out_norm", y, 1e-5), gate),
                   W(name + ".out_proj.weight").data(), d);
  }

  // Z' = Z + Mamba(LN(Z));  Z_out = Z' + FFN(LN(Z'))
  Map Vsss(const std::string& name, const Map& z,
           kernels::Direction direction) const {
    const Map mixed = Add(
        z,
        Mamba(name + ".mamba", LayerNorm(name + ".norm1", z, 1e-6), direction));
    return Add(mixed, FeedForward(name + ".ffn",
                                  LayerNorm(name + ".norm2", mixed, 1e-6)));
  }

  // X_out = X_in + FFN(LN(Concat(VSSS(..), ..) * Affinity(X_in)))
  Map Block(const std::string& name, const Map& x) const {
    using kernels::Direction;
    constexpr Direction kDirections[kGroups] = {
        Direction::kLeftRight, Direction::kRightLeft, Direction::kTopBottom,
        Direction::kBottomTop};
    const Map affinity = Apply(
        Sigmoid, Linear(name + ".fc2",
                        Apply(Relu, Linear(name + ".fc1", AveragePool(x)))));
    const int64_t d = x.channels / kGroups;
    Map modulated(x.height, x.width, x.channels);
    for (int g = 0; g < kGroups; ++g) {
      const Map group = Vsss(name + ".vsss_g" + std::to_string(g + 1),
                             Slice(x, g * d, d), kDirections[g]);
      for (int64_t t = 0; t < x.tokens(); ++t) {
        for (int64_t c = 0; c < d; ++c) {
          modulated.at(t, g * d + c) =
              group.at(t, c) * affinity.at(0, g * d + c);
        }
      }
    }
    return Add(x, FeedForward(name + ".mlp",
                              LayerNorm(name + ".norm", modulated, 1e-6)));
  }

  const ModelConfig& config_;
  const Weights& weights_;
};

}  // namespace

std::vector<double> PaperLogits(const ModelConfig& config,
                                const Weights& weights,
                                const std::vector<float>& pictures,
                                int64_t batch, int64_t height, int64_t width) {
  const PaperNetwork network(config, weights);
  std::vector<double> logits;
  for (int64_t n = 0; n < batch; ++n) {
    Map picture(height, width, 3);
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t t = 0; t < height * width; ++t) {
        picture.at(t, c) = pictures[(n * 3 + c) * height * width + t];
      }
    }
    const Map row = network.Logits(picture);
    logits.insert(logits.end(), row.values.begin(), row.values.end());
  }
  return logits;
}

}  // namespace groupmamba::reference
