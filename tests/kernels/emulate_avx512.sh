#!/usr/bin/env bash
# Runs the AVX-512 kernels' tests on a machine without AVX-512: their sources compiled
# with SIMDe's portable versions of the intrinsics. That proves the arithmetic, the
# masks and the 16 lanes, not the machine code: machine_code_test.sh looks at that.
# Usage: emulate_avx512.sh        Needs: libsimde-dev
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # OBJECT SOURCE [FLAGS]
  g++ -std=c++20 -O2 -ffp-contract=off -fno-math-errno -fno-delete-null-pointer-checks -I. \
    "${@:3}" -c "$2" -o "$work/$1.o"
}
for kernel in matmul selective_scan ss2d_core token_kernels; do
  compile ${kernel}_avx512 kernels/${kernel}_avx512.cc -Itests/kernels/emulated -Wno-psabi
  compile ${kernel}_avx2 kernels/${kernel}_avx2.cc -mavx2 -mfma
  compile ${kernel}_portable kernels/${kernel}_portable.cc
  compile ${kernel} kernels/${kernel}.cc -DGROUPMAMBA_X86_KERNELS
done
compile matmul_avx512bf16 kernels/matmul_avx512bf16.cc -Itests/kernels/emulated -Wno-psabi
# The dispatcher is told that this processor has everything.
compile isa kernels/isa.cc -DGROUPMAMBA_X86_KERNELS '-D__builtin_cpu_supports(feature)=true'
compile selective_scan_double kernels/selective_scan_double.cc
compile ss2d_core_double kernels/ss2d_core_double.cc
compile token_order kernels/token_order.cc
compile scan_oracle tests/reference/selective_scan_oracle.cc
compile ss2d_oracle tests/reference/ss2d_core_oracle.cc
compile token_oracle tests/reference/token_oracle.cc
compile tensor tests/kernels/guarded_tensor.cc
compile case tests/kernels/scan_case.cc
compile forward tests/kernels/selective_scan_test.cc
compile backward tests/kernels/selective_scan_backward_test.cc
compile ss2d_core_test tests/kernels/cpu_ss2d_core_test.cc
compile matmul_test tests/kernels/matmul_test.cc
compile tokens tests/kernels/token_kernels_test.cc
compile depthwise_backward tests/kernels/token_depthwise_backward_test.cc
compile depthwise tests/kernels/token_depthwise_test.cc
read -ra libraries <<<"$(pkg-config --libs absl_strings)"
g++ "$work"/*.o -o "$work/tests" -lgtest -lgtest_main \
  "${libraries[@]}" -lpthread
"$work/tests" --gtest_filter='*avx512*'
