#include "bench/matmul_limit.h"

#include "ATen/Parallel.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/mkldnn_linear.h"
#include "ATen/ops/mm.h"
#include "ATen/ops/randn.h"
#include "c10/core/InferenceMode.h"
#include "kernels/isa.h"
#include "kernels/matmul.h"
#include "model/cpu/worker_pool.h"

namespace groupmamba::bench {
namespace {

constexpr int64_t kSide = 2048;
constexpr double kFlops = 2.0 * kSide * kSide * kSide;

MatmulContender Plain(int threads, at::ScalarType type) {
  const at::Tensor a = at::randn({kSide, kSide}).to(type);
  const at::Tensor b = at::randn({kSide, kSide}).to(type);
  at::Tensor c = at::empty({kSide, kSide}, type);
  return {"LibTorch mm, 2048 cubed", kFlops, [=]() mutable {
            const c10::InferenceMode inference;
            at::set_num_threads(threads);
            at::mm_out(c, a, b);
          }};
}

MatmulContender OneDnn(int threads) {
  const at::Tensor a = at::randn({kSide, kSide}).to_mkldnn();
  const at::Tensor b = at::randn({kSide, kSide}).to_mkldnn();
  return {"LibTorch oneDNN linear, 2048 cubed", kFlops, [=] {
            const c10::InferenceMode inference;
            at::set_num_threads(threads);
            at::mkldnn_linear(a, b);
          }};
}

// What a stage's product looks like: 192 tokens, k and n of 384, every thread
// its own, again and again.
MatmulContender Tiles(int threads, kernels::Storage storage) {
  constexpr int64_t kTokens = 192, kWidth = 384, kTimes = 64;
  struct State {
    State(int threads, kernels::Storage storage)
        : pool(threads),
          weight(kWidth * kWidth, 0.5f),
          b(kernels::BestIsa(), storage, kWidth, kWidth, weight, {}),
          a(threads, std::vector<float>(kTokens * kWidth, 0.5f)),
          c(threads, std::vector<float>(kTokens * kWidth)) {}
    cpu::WorkerPool pool;
    std::vector<float> weight;
    kernels::PackedMatrix b;
    std::vector<std::vector<float>> a, c;
  };
  const auto state = std::make_shared<State>(threads, storage);
  return {"our tiles, 192x384x384", 2.0 * kTokens * kWidth * kWidth * kTimes,
          [state] {
            state->pool.For(kTimes, [&](int64_t, int worker) {
              kernels::Multiply({.data = state->a[worker].data(),
                                 .rows = kTokens,
                                 .stride = kWidth},
                                state->b, {}, state->c[worker].data(), kWidth);
            });
          }};
}

}  // namespace

std::vector<MatmulContender> MatmulContenders(int threads, bool bf16) {
  if (!bf16) {
    return {Plain(threads, at::kFloat), OneDnn(threads),
            Tiles(threads, kernels::Storage::kFp32)};
  }
  std::vector<MatmulContender> contenders = {
      Tiles(threads, kernels::Storage::kBf16)};
  if (kernels::BestIsa() == kernels::Isa::kAvx512Bf16) {
    contenders.push_back(Plain(threads, at::kBFloat16));
  }
  return contenders;
}

}  // namespace groupmamba::bench
