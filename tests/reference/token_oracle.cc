#include "tests/reference/token_oracle.h"

#include <cmath>

namespace groupmamba::reference {

// erfc keeps the relative accuracy that 1 + erf loses for negative x.
double Gelu(double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }

Values LayerNorm(int64_t channels, const Values& x, const Values& weight,
                 const Values& bias, double epsilon) {
  Values y(x.size());
  for (size_t first = 0; first < x.size(); first += channels) {
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < channels; ++c) mean += x[first + c] / channels;
    for (int64_t c = 0; c < channels; ++c) {
      variance += std::pow(x[first + c] - mean, 2) / channels;
    }
    for (int64_t c = 0; c < channels; ++c) {
      y[first + c] =
          (x[first + c] - mean) / std::sqrt(variance + epsilon) * weight[c] +
          bias[c];
    }
  }
  return y;
}

Values ColumnSums(int64_t channels, const Values& x) {
  Values sums(channels);
  for (size_t i = 0; i < x.size(); ++i) sums[i % channels] += x[i];
  return sums;
}

Values DepthwiseConv(int64_t height, int64_t width, int64_t channels,
                     const Values& x, const Values& weight,
                     const Values& bias) {
  Values y(x.size());
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      for (int64_t c = 0; c < channels; ++c) {
        double sum = bias[c];
        for (int64_t down = -1; down <= 1; ++down) {
          for (int64_t right = -1; right <= 1; ++right) {
            const int64_t from_row = row + down, from_column = column + right;
            if (from_row < 0 || from_row >= height || from_column < 0 ||
                from_column >= width) {
              continue;
            }
            const int64_t tap = (down + 1) * 3 + right + 1;
            sum += x[(from_row * width + from_column) * channels + c] *
                   weight[tap * channels + c];
          }
        }
        y[(row * width + column) * channels + c] = sum;
      }
    }
  }
  return y;
}

}  // namespace groupmamba::reference
