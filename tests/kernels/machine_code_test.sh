#!/usr/bin/env bash
# The machine code of the kernels' implementations is what their files promise: wide
# registers where they belong, no library call in a loop, and nothing that the
# linker could take for another file's function.
# Usage: machine_code_test.sh OBJECT... (of the target gm_kernels)
set -euo pipefail
passed=0
failed=0

# expect RULE COMMAND...: the command succeeds.
expect() {
  local rule=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$rule"
  fi
}

# uses FILE REGISTERS: how many instructions name one of them (xmm, ymm, zmm).
uses() { objdump -d --no-show-raw-insn "$1" | grep -cE "%($2)[0-9]" || true; }
has_many() { [ "$(uses "$1" "$2")" -ge 500 ]; }
has_none() { [ "$(uses "$1" "$2")" -eq 0 ]; }

has_dot_products() {
  [ "$(objdump -d --no-show-raw-insn "$1" | grep -c vdpbf16ps)" -ge 24 ]
}

# Of the memory and stack helpers alone; an exp or log would be one more.
calls_no_library() {
  local others
  others=$(nm --undefined-only --format=posix "$1" | cut -d' ' -f1 |
    grep -vxE 'mem(cpy|set|move)|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_' || true)
  [ -z "$others" ] || { printf '%s calls %s\n' "$1" "$others"; return 1; }
}

# Weak symbols are those that the linker merges across files.
merges_with_no_other() {
  local others
  others=$(nm --defined-only --format=posix "$1" | awk '$2 ~ /^[VWu]$/ { print $1 }' |
    grep -v "$2" || true)
  [ -z "$others" ] || { printf '%s shares %s\n' "$1" "$others"; return 1; }
}

for object in "$@"; do
  case $object in
    *matmul_portable* | *selective_scan_portable* | *ss2d_core_portable* | *token_kernels_portable*)
      expect "portable code has no wide registers" has_none "$object" 'ymm|zmm'
      simd=SimdPortable ;;
    *matmul_avx2* | *selective_scan_avx2* | *ss2d_core_avx2* | *token_kernels_avx2*)
      expect "AVX2 code is in ymm registers" has_many "$object" ymm
      expect "AVX2 code has no zmm registers" has_none "$object" zmm
      simd=SimdAvx2 ;;
    *matmul_avx512* | *selective_scan_avx512* | *ss2d_core_avx512* | *token_kernels_avx512*)
      expect "AVX-512 code is in zmm registers" has_many "$object" zmm
      simd=SimdAvx512 ;;
    *) continue ;;
  esac
  case $object in
    *bf16*) expect "bf16 products use the dot product" has_dot_products "$object" ;;
  esac
  expect "no exp, log or other library call" calls_no_library "$object"
  expect "every inline function carries $simd in its name" \
    merges_with_no_other "$object" "$simd"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
