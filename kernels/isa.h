// The instruction sets that the kernels are compiled for, and which of them
// this processor runs.
//
// Thread-safety: any thread, at any time.

#ifndef GROUPMAMBA_KERNELS_ISA_H_
#define GROUPMAMBA_KERNELS_ISA_H_

#include "absl/types/span.h"

namespace groupmamba::kernels {

// Those that an implementation exists for, slowest first.
enum class Isa {
  kPortable,
  kAvx2,  // with FMA
  kAvx512,
  kAvx512Bf16,  // AVX-512 with the bf16 dot product
};

// Those that this build has and this processor runs, slowest first; kPortable
// always.
absl::Span<const Isa> SupportedIsas();

// The fastest of them.
Isa BestIsa();

// "portable", "avx2", "avx512", "avx512bf16".
const char* IsaName(Isa isa);

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_ISA_H_
