#include "kernels/isa.h"

#include <vector>

namespace groupmamba::kernels {
namespace {

std::vector<Isa> DetectIsas() {
  std::vector<Isa> isas = {Isa::kPortable};
#ifdef GROUPMAMBA_X86_KERNELS
  // These ask the operating system too, whether it saves the wide registers.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    isas.push_back(Isa::kAvx2);
  }
  if (__builtin_cpu_supports("avx512f")) isas.push_back(Isa::kAvx512);
  if (__builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bf16")) {
    isas.push_back(Isa::kAvx512Bf16);
  }
#endif
  return isas;
}

}  // namespace

absl::Span<const Isa> SupportedIsas() {
  static const std::vector<Isa>* const isas =
      new std::vector<Isa>(DetectIsas());
  return *isas;
}

Isa BestIsa() { return SupportedIsas().back(); }

const char* IsaName(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return "portable";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512bf16";
  }
  __builtin_unreachable();
}

}  // namespace groupmamba::kernels
