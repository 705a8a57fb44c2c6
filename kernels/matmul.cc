#include "kernels/matmul.h"

#include <cassert>
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
#endif
    default:
      return kMatmulPortable;
  }
}

}  // namespace

void PackedMatrix::Free::operator()(float* memory) const {
  ::operator delete[](memory, kAlignment);
}

PackedMatrix::PackedMatrix(Isa isa, int64_t k, int64_t n,
                           absl::Span<const float> weight,
                           absl::Span<const float> bias)
    : isa_(isa), k_(k), n_(n), panel_width_(VariantOf(isa).panel_width) {
  assert(static_cast<int64_t>(weight.size()) == k * n);
  assert(bias.empty() || static_cast<int64_t>(bias.size()) == n);
  const int64_t padded = (n + panel_width_ - 1) / panel_width_ * panel_width_;
  panels_size_ = padded * k;
  data_.reset(static_cast<float*>(
      ::operator new[]((panels_size_ + padded) * sizeof(float), kAlignment)));
  for (int64_t column = 0; column < padded; ++column) {
    float* const to = data_.get() + column / panel_width_ * panel_width_ * k +
                      column % panel_width_;
    for (int64_t i = 0; i < k; ++i) {
      to[i * panel_width_] = column < n ? weight[column * k + i] : 0;
    }
    data_[panels_size_ + column] =
        column < n && !bias.empty() ? bias[column] : 0;
  }
}

int64_t PackedMatrix::bytes() const {
  const int64_t padded = panels_size_ / k_;
  return (panels_size_ + padded) * static_cast<int64_t>(sizeof(float));
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
  VariantOf(b.isa()).multiply({
      .a = a,
      .segment_k = k / a.segments,
      .b = b.panels() + range.n_begin * b.k() + range.k_begin * b.panel_width(),
      .panel_stride = b.k() * b.panel_width(),
      .columns = n,
      .bias = start == MatmulStart::kBias ? b.bias() + range.n_begin : nullptr,
      .finish = finish,
      .c = c,
      .c_stride = c_stride,
  });
}

void Multiply(const MatmulRows& a, const PackedMatrix& b,
              const MatmulFinish& finish, float* c, int64_t c_stride) {
  Multiply(a, b, {}, MatmulStart::kBias, finish, c, c_stride);
}

}  // namespace groupmamba::kernels
