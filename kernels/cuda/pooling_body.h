// What summarises a picture, over a thread context: the mean over its tokens,
// and the weights that the channels get by it.

#ifndef GROUPMAMBA_KERNELS_CUDA_POOLING_BODY_H_
#define GROUPMAMBA_KERNELS_CUDA_POOLING_BODY_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/math.h"

namespace groupmamba::cuda {

// ---- mean

inline constexpr int kMeanThreads = 256;
inline constexpr int kMeanWarps = kMeanThreads / kWarp;
inline constexpr int kMeanVectors = 2;  // of a block: a sector of 32 bytes

enum TokenMeanBarrier { kSummedByWarps, kTokenMeanBarriers };

template <class T>
struct TokenMeanSizes {
  static constexpr int kVector = 16 / int{sizeof(T)};
  static constexpr int kChannels = kMeanVectors * kVector;  // of a block
  static constexpr int kSharedBytes = kMeanWarps * kChannels * 4;
};

// Neighbouring lanes have neighbouring vectors, each of them every 128th token.
template <class T, class Ctx>
GM_DEVICE void TokenMeanBody(const Ctx& ctx,
                             const TokenMeanArguments& arguments) {
  using Sizes = TokenMeanSizes<T>;
  constexpr int kVector = Sizes::kVector;
  const int slabs = CeilDivide(arguments.channels, Sizes::kChannels);
  const int image = ctx.Block() / slabs;
  const int first = ctx.Block() % slabs * Sizes::kChannels;
  const int lane = ctx.Thread() % kMeanVectors;
  const int channel = first + lane * kVector;
  const T* const x = static_cast<const T*>(arguments.x) +
                     int64_t{image} * arguments.tokens * arguments.channels;
  float sum[kVector] = {};
  if (channel < arguments.channels) {
    for (int token = ctx.Thread() / kMeanVectors; token < arguments.tokens;
         token += kMeanThreads / kMeanVectors) {
      float values[kVector];
      LoadValues<kVector>(
          ctx, x + int64_t{token} * arguments.channels + channel, values);
      GM_UNROLL
      for (int i = 0; i < kVector; ++i) sum[i] += values[i];
    }
  }
  GM_UNROLL
  for (int i = 0; i < kVector; ++i) {
    GM_UNROLL
    for (int mask = kWarp / 2; mask >= kMeanVectors; mask /= 2) {
      sum[i] += ctx.ShuffleXor(sum[i], mask);
    }
  }
  if (ctx.Thread() % kWarp < kMeanVectors) {
    const int warp = ctx.Thread() / kWarp;
    StoreSharedValues<kVector, float>(
        ctx, (warp * Sizes::kChannels + lane * kVector) * 4, sum);
  }
  ctx.template Barrier<kSummedByWarps>();
  if (ctx.Thread() >= Sizes::kChannels / 4) return;
  const int quad = ctx.Thread() * 4;
  if (first + quad >= arguments.channels) return;
  float total[4] = {};
  GM_UNROLL
  for (int warp = 0; warp < kMeanWarps; ++warp) {
    float part[4];
    LoadSharedValues<4, float>(ctx, (warp * Sizes::kChannels + quad) * 4, part);
    GM_UNROLL
    for (int i = 0; i < 4; ++i) total[i] += part[i];
  }
  GM_UNROLL
  for (int i = 0; i < 4; ++i) {
    total[i] *= 1.0f / static_cast<float>(arguments.tokens);
  }
  StoreValues<4>(
      ctx, arguments.out + int64_t{image} * arguments.channels + first + quad,
      total);
}

// ---- affinity

inline constexpr int kAffinityThreads = 256;
inline constexpr int kAffinityWarps = kAffinityThreads / kWarp;

enum AffinityBarrier {
  kSummedBySlices,
  kAveraged,
  kHiddenDone,
  kAffinityBarriers
};

// A block's shared memory: [slice][channel], the first slice's place later the
// mean's, then the hidden values. A slice has every `slices`-th part.
struct AffinitySizes {
  explicit GM_HOST_DEVICE AffinitySizes(int channels, int hidden)
      : quads(channels / 4),
        slices(Larger(1, kAffinityThreads / quads)),
        hidden_at(slices * channels * 4),
        shared_bytes(hidden_at + hidden * 4) {}
  int quads, slices;
  int hidden_at;
  int shared_bytes;
};

// A block an image; a thread has four channels, but in the hidden layer, where
// a warp has a hidden value.
template <class Ctx>
class AffinityBlock {
 public:
  GM_DEVICE AffinityBlock(const Ctx& ctx, const AffinityArguments& arguments)
      : ctx_(ctx),
        args_(arguments),
        sizes_(arguments.channels, arguments.hidden),
        thread_(ctx.Thread()) {}

  GM_DEVICE void Run() const {
    SumSlices();
    ctx_.template Barrier<kSummedBySlices>();
    Average();
    ctx_.template Barrier<kAveraged>();
    Hidden();
    ctx_.template Barrier<kHiddenDone>();
    Weigh();
  }

 private:
  GM_DEVICE void SumSlices() const {
    const int slice = thread_ / sizes_.quads;
    if (slice >= sizes_.slices) return;
    const int channel = (thread_ - slice * sizes_.quads) * 4;
    const float* const sums =
        args_.sums + int64_t{ctx_.Block()} * args_.parts * args_.channels +
        channel;
    float sum[4] = {};
    for (int part = slice; part < args_.parts; part += sizes_.slices) {
      float values[4];
      LoadValues<4>(ctx_, sums + int64_t{part} * args_.channels, values);
      GM_UNROLL
      for (int i = 0; i < 4; ++i) sum[i] += values[i];
    }
    StoreSharedValues<4, float>(ctx_, (slice * args_.channels + channel) * 4,
                                sum);
  }

  GM_DEVICE void Average() const {
    if (thread_ >= sizes_.quads) return;
    const float inverse = 1.0f / static_cast<float>(args_.tokens);
    float mean[4] = {};
    for (int slice = 0; slice < sizes_.slices; ++slice) {
      float values[4];
      LoadSharedValues<4, float>(
          ctx_, (slice * args_.channels + thread_ * 4) * 4, values);
      GM_UNROLL
      for (int i = 0; i < 4; ++i) mean[i] += values[i];
    }
    GM_UNROLL
    for (int i = 0; i < 4; ++i) mean[i] *= inverse;
    StoreSharedValues<4, float>(ctx_, thread_ * 16, mean);
  }

  GM_DEVICE void Hidden() const {
    const int lane = thread_ % kWarp;
    for (int j = thread_ / kWarp; j < args_.hidden; j += kAffinityWarps) {
      float sum = 0;
      for (int quad = lane; quad < sizes_.quads; quad += kWarp) {
        float mean[4], weight[4];
        LoadSharedValues<4, float>(ctx_, quad * 16, mean);
        LoadValues<4>(ctx_, args_.weight1 + j * args_.channels + quad * 4,
                      weight);
        GM_UNROLL
        for (int i = 0; i < 4; ++i) sum += mean[i] * weight[i];
      }
      sum = SumOverLanes<kWarp>(ctx_, sum);
      if (lane == 0) {
        sum += ctx_.LoadGlobal(args_.bias1 + j);
        ctx_.StoreShared(sizes_.hidden_at + j * 4, sum > 0 ? sum : 0.0f);
      }
    }
  }

  GM_DEVICE void Weigh() const {
    if (thread_ >= sizes_.quads) return;
    const int channel = thread_ * 4;
    float sum[4];
    LoadValues<4>(ctx_, args_.bias2 + channel, sum);
    for (int j = 0; j < args_.hidden; ++j) {
      const float hidden =
          ctx_.template LoadShared<float>(sizes_.hidden_at + j * 4);
      float weight[4];
      LoadValues<4>(ctx_, args_.weight2 + j * args_.channels + channel, weight);
      GM_UNROLL
      for (int i = 0; i < 4; ++i) sum[i] += hidden * weight[i];
    }
    GM_UNROLL
    for (int i = 0; i < 4; ++i) {
      sum[i] = ctx_.Reciprocal(1 + ctx_.Exp2(-sum[i] * kLog2E));
    }
    StoreValues<4>(ctx_,
                   args_.out + int64_t{ctx_.Block()} * args_.channels + channel,
                   sum);
  }

  const Ctx& ctx_;
  const AffinityArguments& args_;
  const AffinitySizes sizes_;
  const int thread_;
};

template <class Ctx>
GM_DEVICE void AffinityBody(const Ctx& ctx,
                            const AffinityArguments& arguments) {
  AffinityBlock<Ctx>(ctx, arguments).Run();
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_POOLING_BODY_H_
