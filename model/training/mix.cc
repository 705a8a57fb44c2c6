#include "model/training/mix.h"

#include <algorithm>
#include <cmath>

namespace groupmamba::training {
namespace {

// Beta(a, a), by Jöhnk's method (Erzeugung von betaverteilten und
// gammaverteilten Zufallszahlen, Metrika 8, 1964).
double DrawBeta(double a, Random* random) {
  while (true) {
    const double x = std::pow(1 - random->Uniform(), 1 / a);
    const double y = std::pow(1 - random->Uniform(), 1 / a);
    if (x + y <= 1) return x / (x + y);
  }
}

// A square of 1 - share of the area, its middle anywhere; what lies outside the
// picture is cut off.
cv::Rect DrawBox(double share, int side, Random* random) {
  const int half = static_cast<int>(side * std::sqrt(1 - share)) / 2;
  const auto x = static_cast<int>(random->Below(side));
  const auto y = static_cast<int>(random->Below(side));
  return cv::Rect(x - half, y - half, 2 * half, 2 * half) &
         cv::Rect(0, 0, side, side);
}

}  // namespace

Mix DrawMix(const MixSpec& spec, int side, Random random) {
  Mix mix;
  const bool mixed = random.Uniform() < spec.probability;
  const bool prefers_cutmix = random.Uniform() < spec.cutmix_share;
  if (!mixed || (spec.mixup <= 0 && spec.cutmix <= 0)) return mix;
  if (spec.cutmix > 0 && (spec.mixup <= 0 || prefers_cutmix)) {
    mix.box = DrawBox(DrawBeta(spec.cutmix, &random), side, &random);
    mix.share = 1 - static_cast<double>(mix.box.area()) / (side * side);
  } else {
    mix.share = DrawBeta(spec.mixup, &random);
  }
  return mix;
}

}  // namespace groupmamba::training
