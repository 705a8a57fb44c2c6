// Cuts the channels of a token into what the SIMD wrappers (simd_*.h) hold.

#ifndef GROUPMAMBA_KERNELS_CHANNEL_BLOCKS_H_
#define GROUPMAMBA_KERNELS_CHANNEL_BLOCKS_H_

#include <cstdint>

namespace groupmamba::kernels {

// Calls visit.operator()<kVectors, kPart>(channel, part) for blocks that cover
// the channels, the widest first; kMaxVectors is 1, 2 or 4. A block is the
// channels [channel, channel + kVectors * kLanes); or, where kPart, the `part`
// channels from `channel` on, fewer than one vector has.
template <class Simd, int kMaxVectors, class Visitor>
void ForEachBlock(int64_t channels, Visitor visit) {
  constexpr int kLanes = Simd::kLanes;
  int64_t channel = 0;
  while (channel < channels) {
    const int64_t left = channels - channel;
    if (kMaxVectors >= 4 && left >= 4 * kLanes) {
      visit.template operator()<4, false>(channel, 0);
      channel += 4 * kLanes;
    } else if (kMaxVectors >= 2 && left >= 2 * kLanes) {
      visit.template operator()<2, false>(channel, 0);
      channel += 2 * kLanes;
    } else if (left >= kLanes) {
      visit.template operator()<1, false>(channel, 0);
      channel += kLanes;
    } else {
      visit.template operator()<1, true>(channel, static_cast<int>(left));
      channel = channels;
    }
  }
}

// The channels that one vector holds: all its lanes, or the first `count` where
// kPart, and then the others hold 0.
template <class Simd, bool kPart>
struct VectorLanes {
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;

  Vec Load(const Scalar* from) const {
    if constexpr (kPart) return Simd::LoadPart(from, count);
    return Simd::Load(from);
  }
  void Store(Scalar* to, Vec x) const {
    if constexpr (kPart) return Simd::StorePart(to, x, count);
    Simd::Store(to, x);
  }
  // 0 in the lanes beyond `count`.
  Vec Only(Vec x) const {
    if constexpr (kPart) return Simd::FirstLanes(x, count);
    return x;
  }

  int count = Simd::kLanes;
};

// Calls visit(channel, lanes) for each vector of the channels in ascending
// order.
template <class Simd, class Visitor>
[[gnu::always_inline]] inline void ForEachVector(int64_t channels,
                                                 Visitor visit) {
  int64_t channel = 0;
  for (; channel + Simd::kLanes <= channels; channel += Simd::kLanes) {
    visit(channel, VectorLanes<Simd, false>{});
  }
  if (channel < channels) {
    visit(channel,
          VectorLanes<Simd, true>{static_cast<int>(channels - channel)});
  }
}

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_CHANNEL_BLOCKS_H_
