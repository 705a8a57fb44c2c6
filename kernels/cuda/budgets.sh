#!/usr/bin/env bash
# Checks the machine code of the CUDA kernels against their budgets and prints the
# table of docs/kernels.md. A tool for developers and CI; needs no GPU.
#
# Usage: budgets.sh LIBRARY SIZES [DOCUMENT]
#   LIBRARY   libgm_kernels_cuda.a
#   SIZES     the program cuda_launch_sizes: threads and shared memory of launches
#   DOCUMENT  compared with it, instead of printing; ends with "N passed, N failed"
# Needs cuobjdump and nvdisasm on the PATH or in CUDA_TOOLS (pip wheels
# nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm), and c++filt.
#
# Budgets, for each kernel and architecture: no spilled registers, no local
# memory, at most 128 registers where a block may have 512 threads (168 else), at
# most 99 KB of shared memory, and global accesses of 128 bits but for those
# named below.
set -euo pipefail
library=$1
sizes=$2
document=${3:-}
PATH=${CUDA_TOOLS:+$CUDA_TOOLS:}$PATH

report=$(mktemp)
trap 'rm -f "$report"' EXIT

# Names as in the source: Ss2dCore<Bf16, 16>.
names() {
  c++filt | sed -E 's/groupmamba::cuda:://g; s/\(anonymous namespace\):://g
                    s/(Function *:? )void ([A-Za-z0-9]+<[^>]*>).*/\1\2/
                    s/(Function *:? [A-Za-z0-9]+)\(.*/\1/'
}

{
  "$sizes" | sed 's/^/size /'
  cuobjdump -res-usage "$library" | names
  echo "disassembly"
  cuobjdump -sass "$library" | grep -E 'code for sm_|Function :| (LDG|STG|LDL|STL|LD|ST)\.' | names
} | awk '
  function blocks(arch, threads, shared, regs,    warps, by_regs, by_shared, by_threads, n) {
    warps = threads / 32
    by_regs = int(65536 / (int((regs + 7) / 8) * 8 * 32 * warps))
    by_shared = int(shared_kb[arch] * 1024 / (shared + 1024))
    by_threads = int(threads_sm[arch] / threads)
    n = by_regs < by_shared ? by_regs : by_shared
    n = n < by_threads ? n : by_threads
    return n < blocks_sm[arch] ? n : blocks_sm[arch]
  }
  function fault(text) { printf "fault %s sm_%s: %s\n", name, arch, text }
  BEGIN {
    arches = split("80 89 90 100", order, " ")
    shared_kb[80] = 164; shared_kb[89] = 100; shared_kb[90] = shared_kb[100] = 228
    threads_sm[80] = threads_sm[90] = threads_sm[100] = 2048; threads_sm[89] = 1536
    blocks_sm[80] = blocks_sm[90] = blocks_sm[100] = 32; blocks_sm[89] = 24
  }
  $1 == "size" {
    name = $2; if (NF == 6) name = name " " $3
    kernels[++count] = name; shared[name] = $NF; threads[name] = $(NF - 1)
    most[name] = $(NF - 2); next
  }
  /^disassembly/ { disassembly = 1; next }
  /^arch = sm_/ { arch = substr($3, 4); next }
  /code for sm_/ { arch = substr($3, 4); next }
  /Function/ { name = $0; sub(/.*Function *:? */, "", name); sub(/:$/, "", name); next }
  /REG:[0-9]/ {
    match($0, /REG:[0-9]+/); regs[name, arch] = substr($0, RSTART + 4, RLENGTH - 4)
    match($0, /STACK:[0-9]+/); stack[name, arch] = substr($0, RSTART + 6, RLENGTH - 6)
    match($0, /LOCAL:[0-9]+/); stack[name, arch] += substr($0, RSTART + 6, RLENGTH - 6)
    next
  }
  disassembly {
    match($0, /(LDG|STG|LDL|STL|LD|ST)\.[A-Z0-9._]*/); access = substr($0, RSTART, RLENGTH)
    if (access ~ /^(LDL|STL)/) fault("local memory: " access)
    else if (access ~ /\.128/) ++wide[name, arch]
    # States handed from block to block, the last values of a picture, and the
    # biases of hidden values.
    else if (name ~ /^Ss2d(Core|Backward)/ && access ~ /\.64\.STRONG/) ++other[name, arch]
    # Four channels of bf16 a thread, everywhere in that kernel.
    else if (name ~ /^Ss2dBackward<Bf16/ && access ~ /\.64/) ++other[name, arch]
    else if (name ~ /^(Normalise|Affinity)/) ++other[name, arch]
    else fault("narrow access: " access)
  }
  END {
    for (i = 1; i <= count; ++i) {
      name = kernels[i]
      r = w = o = p = ""
      for (k = 1; k <= arches; ++k) {
        arch = order[k]
        if (!((name, arch) in regs)) { fault("not in the library"); continue }
        if (stack[name, arch] + 0 > 0) fault("stack of " stack[name, arch] " bytes")
        if (regs[name, arch] + 0 > (most[name] + 0 > 256 ? 128 : 168)) fault("registers: " regs[name, arch])
        if (shared[name] + 0 > 99 * 1024) fault("shared memory: " shared[name])
        if (wide[name, arch] == 0) fault("no 128-bit access")
        n = blocks(arch, threads[name], shared[name], regs[name, arch])
        if (n < 1) fault("no block fits")
        bar = k > 1 ? " / " : ""
        r = r bar regs[name, arch]
        p = p bar sprintf("%d", 100 * n * threads[name] / threads_sm[arch] + 0.5)
        w = w bar wide[name, arch] + 0
        o = o bar other[name, arch] + 0
      }
      printf "row | %s | %d | %d | %s | 0 | %s | %s | %s |\n", name, threads[name],
             shared[name], r, p, w, o
    }
  }' >"$report"

failed=0
if grep '^fault' "$report" >&2; then failed=1; fi
table() {
  echo "| kernel | threads | shared bytes | registers | spills | occupancy, % | 128-bit accesses | other accesses |"
  echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
  sed -n 's/^row //p' "$report"
}
if [ -z "$document" ]; then
  table
  exit $failed
fi
if ! diff <(grep -E '^\| (kernel |(--- \| ){7}|[A-Z][A-Za-z0-9]*<|(Affinity|Ss2dReduce) )' "$document") <(table); then
  echo "FAILED: the table of $document is not that of this build (budgets.sh prints it)"
  failed=$((failed + 1))
fi
printf '%d passed, %d failed\n' $((2 - failed)) "$failed"
[ "$failed" -eq 0 ]
