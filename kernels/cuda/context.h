// What a kernel's body may use, so that one source runs on a GPU and on the
// CPU.
//
// A body is a function template over a thread context: an object that one
// thread of a block is handed, with
//
//   Thread(), Threads(), Block()  index in the block, threads of a block, index
//                                 of the block; one dimension
//   Barrier<id>()                 all threads of the block meet; what was
//                                 written before is seen after. `id` numbers
//                                 the barriers of a body, for its tests.
//   ShuffleXor(value, mask)       the value of lane (own lane xor mask); all 32
//                                 lanes of the warp must call it
//   LoadGlobal(pointer)           one access of W: a Word4 is 128 bits;
//   StoreGlobal(pointer, value)   pointers are aligned to sizeof(W)
//   LoadShared<W>(offset)         likewise, offset in bytes into the block's
//   StoreShared(offset, value)    shared memory; W of at least 4 bytes
//   Exp2, Log2, Reciprocal,       the approximate units: relative error 2^-22
//   ReciprocalSquareRoot, Tanh    (Log2: absolute near 1; Tanh: 2^-11 absolute)
//   PackBf16(low, high)           two bf16, rounded to nearest even
//   NextTicket(counter, tickets)  counts 0, 1, .. tickets - 1, 0, .. over all
//                                 blocks, in the order of the calls
//   Publish(word, value),         hands a value from a block to one other: Take
//   Take(word)                    waits for it and empties the word (zero);
//                                 once a word and launch
//   PublishPair(word, pair),      likewise two values, not both the NaN of all
//   TakePair(word)                bits, which no arithmetic gives
//
// The device's context is kernels/cuda/device_context.cuh, the tests' one
// tests/testing/cuda_executor.h. Bodies hold no lambdas: nvcc 13.0.88 crashes
// on generic ones.

#ifndef GROUPMAMBA_KERNELS_CUDA_CONTEXT_H_
#define GROUPMAMBA_KERNELS_CUDA_CONTEXT_H_

#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define GM_DEVICE __device__ __forceinline__
#define GM_HOST_DEVICE __host__ __device__ __forceinline__
#define GM_UNROLL _Pragma("unroll")
#define GM_NO_UNROLL _Pragma("unroll 1")
#else
#define GM_DEVICE inline
#define GM_HOST_DEVICE inline
#define GM_UNROLL
#define GM_NO_UNROLL
#endif

namespace groupmamba::cuda {

inline constexpr int kWarp = 32;

// What one access moves.
struct alignas(8) Word2 {
  uint32_t word[2];
};
struct alignas(16) Word4 {
  uint32_t word[4];
};

// A bfloat16 in memory: the upper half of an fp32.
struct Bf16 {
  uint16_t bits;
};

GM_DEVICE float FloatOfBits(uint32_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(bits);
#else
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
#endif
}

GM_DEVICE uint32_t BitsOfFloat(float value) {
#ifdef __CUDACC__
  return __float_as_uint(value);
#else
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
#endif
}

// kCount values of type T as words: kCount * sizeof(T) is 8 or 16 bytes.
template <int kBytes>
struct WordOf;
template <>
struct WordOf<8> {
  using Type = Word2;
};
template <>
struct WordOf<16> {
  using Type = Word4;
};

template <class Word>
GM_DEVICE void Unpack(const Word& word, const float*, float* values) {
  GM_UNROLL
  for (int i = 0; i < int{sizeof(Word) / 4}; ++i) {
    values[i] = FloatOfBits(word.word[i]);
  }
}
template <class Word>
GM_DEVICE void Unpack(const Word& word, const Bf16*, float* values) {
  GM_UNROLL
  for (int i = 0; i < int{sizeof(Word) / 4}; ++i) {
    values[2 * i] = FloatOfBits(word.word[i] << 16);
    values[2 * i + 1] = FloatOfBits(word.word[i] & 0xffff0000u);
  }
}

template <class Word, class Ctx>
GM_DEVICE Word Pack(const Ctx&, const float*, const float* values) {
  Word word;
  GM_UNROLL
  for (int i = 0; i < int{sizeof(Word) / 4}; ++i) {
    word.word[i] = BitsOfFloat(values[i]);
  }
  return word;
}
template <class Word, class Ctx>
GM_DEVICE Word Pack(const Ctx& ctx, const Bf16*, const float* values) {
  Word word;
  GM_UNROLL
  for (int i = 0; i < int{sizeof(Word) / 4}; ++i) {
    word.word[i] = ctx.PackBf16(values[2 * i], values[2 * i + 1]);
  }
  return word;
}

// The widest access to kCount values of T, at most 128 bits.
template <class T, int kCount>
struct Access {
  static constexpr int kBytes =
      kCount * int{sizeof(T)} < 16 ? kCount * int{sizeof(T)} : 16;
  static constexpr int kValues = kBytes / int{sizeof(T)};
  static constexpr int kAccesses = kCount / kValues;
  using Word = typename WordOf<kBytes>::Type;
  static_assert(kAccesses * kValues == kCount, "whole accesses");
};

template <int kCount, class T, class Ctx>
GM_DEVICE void LoadValues(const Ctx& ctx, const T* from, float* values) {
  using A = Access<T, kCount>;
  GM_UNROLL
  for (int i = 0; i < A::kAccesses; ++i) {
    Unpack(ctx.LoadGlobal(reinterpret_cast<const typename A::Word*>(
               from + i * A::kValues)),
           from, values + i * A::kValues);
  }
}

template <int kCount, class T, class Ctx>
GM_DEVICE void StoreValues(const Ctx& ctx, T* to, const float* values) {
  using A = Access<T, kCount>;
  const T* type = nullptr;
  GM_UNROLL
  for (int i = 0; i < A::kAccesses; ++i) {
    ctx.StoreGlobal(reinterpret_cast<typename A::Word*>(to + i * A::kValues),
                    Pack<typename A::Word>(ctx, type, values + i * A::kValues));
  }
}

// One value, where no vector fits.
template <class Ctx>
GM_DEVICE void StoreOne(const Ctx& ctx, float* to, float value) {
  ctx.StoreGlobal(to, value);
}
template <class Ctx>
GM_DEVICE void StoreOne(const Ctx& ctx, Bf16* to, float value) {
  const auto bits = static_cast<uint16_t>(ctx.PackBf16(value, 0));
  ctx.StoreGlobal(reinterpret_cast<uint16_t*>(to), bits);
}

// In shared memory, `offset` in bytes.
template <int kCount, class T, class Ctx>
GM_DEVICE void LoadSharedValues(const Ctx& ctx, int offset, float* values) {
  using A = Access<T, kCount>;
  const T* type = nullptr;
  GM_UNROLL
  for (int i = 0; i < A::kAccesses; ++i) {
    Unpack(ctx.template LoadShared<typename A::Word>(offset + i * A::kBytes),
           type, values + i * A::kValues);
  }
}

template <int kCount, class T, class Ctx>
GM_DEVICE void StoreSharedValues(const Ctx& ctx, int offset,
                                 const float* values) {
  using A = Access<T, kCount>;
  const T* type = nullptr;
  GM_UNROLL
  for (int i = 0; i < A::kAccesses; ++i) {
    ctx.StoreShared(offset + i * A::kBytes,
                    Pack<typename A::Word>(ctx, type, values + i * A::kValues));
  }
}

// The sum over kLanes neighbouring lanes (a power of two), in each of them; the
// same order of additions whichever lanes they are.
template <int kLanes, class Ctx>
GM_DEVICE float SumOverLanes(const Ctx& ctx, float value) {
  GM_UNROLL
  for (int mask = kLanes / 2; mask > 0; mask /= 2) {
    value += ctx.ShuffleXor(value, mask);
  }
  return value;
}

// Quotients of small numbers without the division: exact below 2^21.
struct Divider {
  explicit GM_DEVICE Divider(int divisor)
      : divisor(divisor), inverse(1.0f / static_cast<float>(divisor)) {}
  GM_DEVICE int Quotient(int number) const {
    return static_cast<int>((static_cast<float>(number) + 0.5f) * inverse);
  }
  int divisor;
  float inverse;
};

GM_HOST_DEVICE constexpr int CeilDivide(int a, int b) {
  return (a + b - 1) / b;
}
GM_HOST_DEVICE constexpr int Smaller(int a, int b) { return a < b ? a : b; }
GM_HOST_DEVICE constexpr int Larger(int a, int b) { return a > b ? a : b; }

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_CONTEXT_H_
