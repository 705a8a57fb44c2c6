// The thread context (kernels/cuda/context.h) of a GPU: every operation is one
// instruction or a few. sm_80 and newer.

#ifndef GROUPMAMBA_KERNELS_CUDA_DEVICE_CONTEXT_CUH_
#define GROUPMAMBA_KERNELS_CUDA_DEVICE_CONTEXT_CUH_

#include <cstdint>

#include "kernels/cuda/context.h"

namespace groupmamba::cuda {

extern __shared__ __align__(16) unsigned char gm_shared_memory[];

class DeviceContext {
 public:
  GM_DEVICE int Thread() const { return static_cast<int>(threadIdx.x); }
  GM_DEVICE int Threads() const { return static_cast<int>(blockDim.x); }
  GM_DEVICE int Block() const { return static_cast<int>(blockIdx.x); }

  template <int kId>
  GM_DEVICE void Barrier() const {
    __syncthreads();
  }
  GM_DEVICE float ShuffleXor(float value, int mask) const {
    return __shfl_xor_sync(0xffffffffu, value, mask);
  }

  // Of what no thread of the launch writes.
  GM_DEVICE Word4 LoadGlobal(const Word4* from) const {
    const uint4 v = __ldg(reinterpret_cast<const uint4*>(from));
    return {{v.x, v.y, v.z, v.w}};
  }
  GM_DEVICE Word2 LoadGlobal(const Word2* from) const {
    const uint2 v = __ldg(reinterpret_cast<const uint2*>(from));
    return {{v.x, v.y}};
  }
  template <class W>
  GM_DEVICE W LoadGlobal(const W* from) const {
    return __ldg(from);
  }
  // In assembly, since nvcc 13.0 may make four stores of an assignment.
  GM_DEVICE void StoreGlobal(Word4* to, const Word4& v) const {
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};"
                 :
                 : "l"(to), "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]),
                   "r"(v.word[3])
                 : "memory");
  }
  template <class W>
  GM_DEVICE void StoreGlobal(W* to, const W& value) const {
    *to = value;
  }

  template <class W>
  GM_DEVICE W LoadShared(int offset) const {
    return *reinterpret_cast<const W*>(gm_shared_memory + offset);
  }
  template <class W>
  GM_DEVICE void StoreShared(int offset, const W& value) const {
    *reinterpret_cast<W*>(gm_shared_memory + offset) = value;
  }

  GM_DEVICE float Exp2(float x) const {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  GM_DEVICE float Log2(float x) const {
    float y;
    asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  GM_DEVICE float Reciprocal(float x) const {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  GM_DEVICE float ReciprocalSquareRoot(float x) const {
    float y;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  GM_DEVICE float Tanh(float x) const {
    float y;
    asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  GM_DEVICE uint32_t PackBf16(float low, float high) const {
    uint32_t packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
  }

  GM_DEVICE uint32_t NextTicket(uint32_t* counter, uint32_t tickets) const {
    return atomicInc(counter, tickets - 1);
  }
  // Value and flag are one 64-bit word, so that neither can be seen without the
  // other.
  GM_DEVICE void Publish(uint64_t* word, float value) const {
    PublishWord(word, (uint64_t{1} << 32) | __float_as_uint(value));
  }
  GM_DEVICE float Take(uint64_t* word) const {
    return __uint_as_float(static_cast<uint32_t>(TakeWord(word)));
  }
  // Full is what is not zero, so the bits are turned around.
  GM_DEVICE void PublishPair(uint64_t* word, const Word2& pair) const {
    PublishWord(word, ~(uint64_t{pair.word[1]} << 32 | pair.word[0]));
  }
  GM_DEVICE Word2 TakePair(uint64_t* word) const {
    const uint64_t pair = ~TakeWord(word);
    return {{static_cast<uint32_t>(pair), static_cast<uint32_t>(pair >> 32)}};
  }

 private:
  GM_DEVICE static void PublishWord(uint64_t* word, uint64_t full) {
    asm volatile("st.release.gpu.global.u64 [%0], %1;"
                 :
                 : "l"(word), "l"(full)
                 : "memory");
  }
  GM_DEVICE static uint64_t TakeWord(uint64_t* word) {
    uint64_t full;
    do {
      asm volatile("ld.acquire.gpu.global.u64 %0, [%1];"
                   : "=l"(full)
                   : "l"(word)
                   : "memory");
    } while (full == 0);
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;"
                 :
                 : "l"(word), "l"(uint64_t{0})
                 : "memory");
    return full;
  }
};

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_DEVICE_CONTEXT_CUH_
