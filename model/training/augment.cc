#include "model/training/augment.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace groupmamba::training {
namespace {

// Uniform in [-reach, reach].
int Offset(Random* random, int reach) {
  return static_cast<int>(random->Below(2 * reach + 1)) - reach;
}

void CutOut(int cutout_side, int side, Random* random,
            absl::Span<uint8_t> picture) {
  const int top = static_cast<int>(random->Below(side)) - cutout_side / 2;
  const int left = static_cast<int>(random->Below(side)) - cutout_side / 2;
  const int from = std::max(left, 0);
  const int to = std::min(left + cutout_side, side);
  for (int y = std::max(top, 0); y < std::min(top + cutout_side, side); ++y) {
    std::fill(&picture[y * side] + from, &picture[y * side] + to, uint8_t{0});
  }
}

}  // namespace

void Augment(const AugmentSpec& spec, int side, Random random,
             absl::Span<const uint8_t> in, absl::Span<uint8_t> out) {
  const bool flip = random.Uniform() < 0.5 && spec.flip;
  const int dy = Offset(&random, spec.shift);
  const int dx = Offset(&random, spec.shift);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const int from_y = y - dy;
      const int from_x = (flip ? side - 1 - x : x) - dx;
      const bool inside =
          from_y >= 0 && from_y < side && from_x >= 0 && from_x < side;
      out[y * side + x] = inside ? in[from_y * side + from_x] : 0;
    }
  }
  if (random.Uniform() < spec.cutout_probability) {
    CutOut(spec.cutout_side, side, &random, out);
  }
}

std::vector<int32_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t count) {
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  Random random({seed, static_cast<uint64_t>(epoch)});
  for (int64_t i = count - 1; i > 0; --i) {
    std::swap(order[i], order[random.Below(i + 1)]);
  }
  return order;
}

}  // namespace groupmamba::training
