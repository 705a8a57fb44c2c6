#!/usr/bin/env bash
# Runs the AVX-512 scan's tests on a machine without AVX-512: its source compiled
# with SIMDe's portable versions of the intrinsics. That proves the arithmetic, the
# masks and the 16 lanes, not the machine code: machine_code_test.sh looks at that.
# Usage: emulate_avx512.sh        Needs: libsimde-dev
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # OBJECT SOURCE [FLAGS]
  g++ -std=c++20 -O2 -ffp-contract=off -fno-delete-null-pointer-checks -I. \
    "${@:3}" -c "$2" -o "$work/$1.o"
}
compile avx512 kernels/selective_scan_avx512.cc -Itests/kernels/emulated
compile avx2 kernels/selective_scan_avx2.cc -mavx2 -mfma
compile portable kernels/selective_scan_portable.cc
# The dispatcher is told that this processor has everything.
compile isa kernels/isa.cc -DGROUPMAMBA_X86_KERNELS '-D__builtin_cpu_supports(feature)=true'
compile dispatch kernels/selective_scan.cc -DGROUPMAMBA_X86_KERNELS
compile oracle tests/reference/selective_scan_oracle.cc
compile tensor tests/kernels/guarded_tensor.cc
compile case tests/kernels/scan_case.cc
compile forward tests/kernels/selective_scan_test.cc
compile backward tests/kernels/selective_scan_backward_test.cc
read -ra libraries <<<"$(pkg-config --libs absl_strings)"
g++ "$work"/*.o -o "$work/tests" -lgtest -lgtest_main \
  "${libraries[@]}" -lpthread
"$work/tests" --gtest_filter='*avx512*'
