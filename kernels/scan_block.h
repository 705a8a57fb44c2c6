// A block of channels of one image: what the forward and the backward scan
// share. Templates over a SIMD wrapper (simd_*.h) throughout, so that the code
// compiled for one instruction set is never the linker's choice for another.
//
// A block is a few vectors wide and walks over the tokens in tiles. In a tile,
// every step of the arithmetic runs over all vectors before the next step
// begins: the chains of dependent instructions are short and many are in
// flight, where one token after the other would wait for each chain's latency
// (measured with AVX2: 1.7 ns per token and channel without tiles, 1.1 with).

#ifndef GROUPMAMBA_KERNELS_SCAN_BLOCK_H_
#define GROUPMAMBA_KERNELS_SCAN_BLOCK_H_

#include <cstdint>

#include "kernels/channel_blocks.h"
#include "kernels/scan_variant.h"
#include "kernels/simd_math.h"

namespace groupmamba::kernels {

// The channels [channel, channel + kVectors * kLanes) of an image; or, where
// kPart, the `part` channels from `channel` on, fewer than one vector has.
// Lanes beyond a part hold 0.
template <class Simd, int kVectors, bool kPart>
class ScanBlock {
  static_assert(!kPart || kVectors == 1);

 public:
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;
  using Math = SimdMath<Simd>;
  static constexpr int kLanes = Simd::kLanes;
  static constexpr int kTileTokens = 32 / kVectors;

  // Up to kTileTokens tokens, in scan order. In the notation of
  // kernels/selective_scan.h, x = delta_t + delta_bias, and decay is
  // exp(Delta_t a).
  struct Tile {
    int count;
    int64_t token[kTileTokens];
    Vec x[kTileTokens][kVectors];
    Vec exp_of_minus_abs_x[kTileTokens][kVectors];
    Vec delta[kTileTokens][kVectors];  // Delta_t
    Vec decay[kTileTokens][kVectors];
  };

  // How far the scan has come.
  struct Place {
    explicit Place(const TokenOrder& order)
        : order(order),
          left(order.outer_count * order.inner_count),
          outer_token(order.first),
          token(order.first) {}

    int64_t NextToken() {
      const int64_t next = token;
      token += order.inner_step;
      if (++inner == order.inner_count) {
        inner = 0;
        token = outer_token += order.outer_step;
      }
      return next;
    }

    const TokenOrder order;
    int64_t left;
    int64_t outer_token;
    int64_t token;
    int64_t inner = 0;
  };

  ScanBlock(const BasicScanInputs<Scalar>& in, int64_t image, int64_t channel,
            int part)
      : image_(image), channel_(channel), part_(part), delta_(At(in.delta)) {
    for (int v = 0; v < kVectors; ++v) {
      a_[v] = Load(in.a + channel, v);
      bias_[v] = Load(in.delta_bias + channel, v);
    }
  }

  // Where the block's first channel of the image's first token lies.
  template <class Tensor>
  Tensor At(const Tensor& tensor) const {
    Tensor at = tensor;
    at.data += image_ * at.image_stride + channel_;
    return at;
  }
  // The same of a tensor without channels.
  template <class Tensor>
  Tensor AtImage(const Tensor& tensor) const {
    Tensor at = tensor;
    at.data += image_ * at.image_stride;
    return at;
  }

  Vec Load(const Scalar* row, int v) const {
    if constexpr (kPart) return Simd::LoadPart(row, part_);
    return Simd::Load(row + v * kLanes);
  }
  void Store(Scalar* row, int v, Vec x) const {
    if constexpr (kPart) return Simd::StorePart(row, x, part_);
    Simd::Store(row + v * kLanes, x);
  }

  int64_t channel() const { return channel_; }
  Vec a(int v) const { return a_[v]; }

  // The next tokens after `place`, with x, Delta and decay of each; false where
  // there are none.
  bool NextTile(Place* place, Tile* tile) const {
    if (place->left == 0) return false;
    tile->count =
        place->left < kTileTokens ? static_cast<int>(place->left) : kTileTokens;
    place->left -= tile->count;
    for (int t = 0; t < tile->count; ++t) tile->token[t] = place->NextToken();
    Discretise(tile);
    return true;
  }

 private:
  // The sizes are copied out of *this first: a vector's store might change any
  // memory, for all that the compiler knows, so it would load them every time.
  void Discretise(Tile* tile) const {
    const int count = tile->count;
    const Scalar* const deltas = delta_.data;
    const int64_t stride = delta_.token_stride;
    Vec a[kVectors], bias[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      a[v] = a_[v];
      bias[v] = bias_[v];
    }
    for (int t = 0; t < count; ++t) {
      const Scalar* row = deltas + tile->token[t] * stride;
      for (int v = 0; v < kVectors; ++v) {
        const Vec x = Load(row, v) + bias[v];
        tile->x[t][v] = x;
        tile->exp_of_minus_abs_x[t][v] =
            Math::ExpOfNegative(Simd::NegativeAbs(x));
      }
    }
    for (int t = 0; t < count; ++t) {
      for (int v = 0; v < kVectors; ++v) {
        tile->delta[t][v] = Math::SoftplusGivenExp(
            tile->x[t][v], tile->exp_of_minus_abs_x[t][v]);
      }
    }
    for (int t = 0; t < count; ++t) {
      for (int v = 0; v < kVectors; ++v) {
        tile->decay[t][v] = Math::ExpOfNegative(tile->delta[t][v] * a[v]);
      }
    }
  }

  const int64_t image_;
  const int64_t channel_;
  const int part_;
  const BasicTokenTensor<const Scalar> delta_;
  Vec a_[kVectors];
  Vec bias_[kVectors];
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SCAN_BLOCK_H_
