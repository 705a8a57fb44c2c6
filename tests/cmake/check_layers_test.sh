#!/usr/bin/env bash
# The layer check refuses what docs/architecture.md forbids, and only that.
# Usage: check_layers_test.sh CHECKOUT
set -euo pipefail
check=$1/cmake/check_layers.cmake
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# expect accepts|refuses RULE FILE INCLUDE [FILE INCLUDE]: in a tree of just those files.
expect() {
  local verdict=$1 rule=$2 got=accepts
  shift 2
  rm -rf "${work:?}/tree"
  while [ $# -gt 0 ]; do
    mkdir -p "$work/tree/$(dirname "$1")"
    printf '#include %s\n' "$2" >>"$work/tree/$1"
    shift 2
  done
  cmake -DROOT="$work/tree" -P "$check" >"$work/out" 2>&1 || got=refuses
  if [ "$got" = "$verdict" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s: %s, expected: %s\n' "$rule" "$got" "$verdict"
    cat "$work/out"
  fi
}

expect accepts "server may use the engine's front door" server/a.cc '"model/engine.h"'
expect accepts "model may use kernels" model/a.cc '"kernels/selective_scan.h"'
expect accepts "LibTorch inside model" model/a.cc '<ATen/ATen.h>'
expect accepts "tests may include anything" tests/a.cc '"server/pipeline.h"'
expect refuses "base includes nothing of ours" base/a.h '"model/config.h"'
expect refuses "kernels know no model" kernels/a.cc '"model/config.h"'
expect refuses "kernels know no LibTorch" kernels/a.cc '<torch/torch.h>'
expect refuses "server knows no LibTorch" server/a.cc '"torch/torch.h"'
expect refuses "server sees no layers" server/a.cc '"model/network.h"'
expect refuses "model knows no server" model/a.cc '"server/pipeline.h"'
expect refuses "model knows no protocol" model/a.cc '"proto/groupmamba/v1/classifier.pb.h"'
expect refuses "pictures go without the model" model/image/a.cc '"model/config.h"'
expect refuses "pictures go without LibTorch" model/image/a.cc '<ATen/ATen.h>'
expect refuses "the engine's front door is torch-free" model/engine.h '<ATen/ATen.h>'
expect refuses "client knows no model" client/a.cc '"model/config.h"'
expect refuses "nothing includes tests" server/a.cc '"tests/testing/fake_engine.h"'
expect refuses "headers in a circle" base/a.h '"base/b.h"' base/b.h '"base/a.h"'
expect refuses "a longer circle" base/a.h '"base/b.h"' base/b.h '"base/c.h"' \
  base/c.h '"base/a.h"'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
