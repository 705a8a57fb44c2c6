#include "kernels/matmul.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <new>

#include "kernels/matmul_variant.h"

namespace groupmamba::kernels {
namespace {

// A cache line.
constexpr std::align_val_t kAlignment{64};

const MatmulVariant& VariantOf(Isa isa) {
  switch (isa) {
#ifdef GROUPMAMBA_X86_KERNELS
    case Isa::kAvx2:
      return kMatmulAvx2;
    case Isa::kAvx512:
      return kMatmulAvx512;
    case Isa::kAvx512Bf16:
      return kMatmulAvx512Bf16;
#endif
    default:
      return kMatmulPortable;
  }
}

int64_t RoundUp(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

// To the nearest, ties to even; NaN stays NaN, made quiet.
uint16_t ToBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  if (std::isnan(x)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace

void PackedMatrix::Free::operator()(void* memory) const {
  ::operator delete(memory, kAlignment);
}

// Panels [k, panel_width], or for bf16 [k / 2, panel_width, 2], then the bias;
// what lies beyond n, or beyond an odd k, is 0.
PackedMatrix::PackedMatrix(Isa isa, Storage storage, int64_t k, int64_t n,
                           absl::Span<const float> weight,
                           absl::Span<const float> bias)
    : isa_(isa),
      storage_(storage),
      k_(k),
      n_(n),
      panel_width_(VariantOf(isa).panel_width) {
  assert(static_cast<int64_t>(weight.size()) == k * n);
  assert(bias.empty() || static_cast<int64_t>(bias.size()) == n);
  const int64_t columns = RoundUp(n, panel_width_);
  panel_stride_ =
      panel_width_ * (storage == Storage::kBf16 ? RoundUp(k, 2) : k);
  const int64_t element = storage == Storage::kBf16 ? 2 : 4;
  const int64_t bias_at =
      RoundUp(columns / panel_width_ * panel_stride_ * element, 64);
  bytes_ = bias_at + columns * static_cast<int64_t>(sizeof(float));
  data_.reset(::operator new(bytes_, kAlignment));
  std::memset(data_.get(), 0, bytes_);
  bias_ = reinterpret_cast<float*>(static_cast<char*>(data_.get()) + bias_at);
  std::copy(bias.begin(), bias.end(), bias_);
  for (int64_t column = 0; column < n; ++column) {
    Pack(weight.data() + column * k, column);
  }
}

void PackedMatrix::Pack(const float* values, int64_t column) {
  const int64_t panel = column / panel_width_ * panel_stride_;
  const int64_t place = column % panel_width_;
  if (storage_ == Storage::kFp32) {
    float* const to = static_cast<float*>(data_.get()) + panel + place;
    for (int64_t i = 0; i < k_; ++i) to[i * panel_width_] = values[i];
    return;
  }
  uint16_t* const to = static_cast<uint16_t*>(data_.get()) + panel + 2 * place;
  for (int64_t i = 0; i < k_; ++i) {
    to[i / 2 * 2 * panel_width_ + i % 2] = ToBf16(values[i]);
  }
}

void Multiply(const MatmulRows& a, const PackedMatrix& b,
              const MatmulRange& range, MatmulStart start,
              const MatmulFinish& finish, float* c, int64_t c_stride) {
  const int64_t k = range.k_count < 0 ? b.k() - range.k_begin : range.k_count;
  const int64_t n = range.n_count < 0 ? b.n() - range.n_begin : range.n_count;
  assert(range.n_begin % b.panel_width() == 0);
  assert(range.k_begin + k <= b.k() && range.n_begin + n <= b.n());
  assert(k % a.segments == 0);
  if (a.rows == 0) return;
  const int64_t offset = range.n_begin / b.panel_width() * b.panel_stride() +
                         range.k_begin * b.panel_width();
  const MatmulVariant& variant = VariantOf(b.isa());
  MatmulJob job = {
      .a = a,
      .segment_k = k / a.segments,
      .b = static_cast<const float*>(b.panels()) + offset,
      .panel_stride = b.panel_stride(),
      .columns = n,
      .bias = start == MatmulStart::kBias ? b.bias() + range.n_begin : nullptr,
      .finish = finish,
      .c = c,
      .c_stride = c_stride,
  };
  if (b.storage() == Storage::kFp32) return variant.multiply(job);
  assert(range.k_begin % 2 == 0);
  job.b = static_cast<const uint16_t*>(b.panels()) + offset;
  variant.multiply_pairs(job);
}

void Multiply(const MatmulRows& a, const PackedMatrix& b,
              const MatmulFinish& finish, float* c, int64_t c_stride) {
  Multiply(a, b, {}, MatmulStart::kBias, finish, c, c_stride);
}

}  // namespace groupmamba::kernels
