#!/usr/bin/env bash
# Builds the CUDA kernels, without LibTorch, and checks their machine code: budgets
# (kernels/cuda/budgets.sh), and that docs/kernels.md has the table of this build. Needs
# no GPU; without nvcc or the tools it is skipped, and says so.
#
# Usage: budgets_test.sh SOURCE BUILD DEPS
#   BUILD   a folder for the build
#   DEPS    where ./dev unpacked the tools (cmake/cuda_tools.lock)
set -euo pipefail
source=$1
build=$2
tools=$3/cuda/nvidia/cu13/bin

skip() {
  echo "[  SKIPPED ] 1 test, cuda_budgets_test: $1"
  echo "0 passed, 0 failed"
  exit 0
}
PATH=$tools:$PATH:${CUDA_HOME:-/usr/local/cuda}/bin
command -v nvcc >/dev/null || skip "there is no nvcc on the PATH or in CUDA_HOME"
for tool in cuobjdump nvdisasm; do
  command -v $tool >/dev/null || skip "there is no $tool; ./dev test fetches it"
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DGROUPMAMBA_CUDA=ON -DGROUPMAMBA_TORCH=OFF
  ninja -C "$build" gm_kernels_cuda cuda_launch_sizes
} >"$log" 2>&1 || { tail -n 50 "$log"; exit 1; }

# Another compiler allocates registers differently: then only the budgets hold.
document=$source/docs/kernels.md
version=$(nvcc --version | sed -n 's/.*, V\([0-9.]*\).*/\1/p')
grep -qF "nvcc $version" "$document" || document=
[ -n "$document" ] || echo "nvcc $version is not that of docs/kernels.md: its table is not compared"
"$source/kernels/cuda/budgets.sh" "$build/kernels/cuda/libgm_kernels_cuda.a" \
  "$build/bin/cuda_launch_sizes" ${document:+"$document"}
[ -n "$document" ] || echo "1 passed, 0 failed"
