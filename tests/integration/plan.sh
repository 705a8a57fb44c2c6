#!/usr/bin/env bash
# What `plan` predicts, held against what a server does: a fake engine with a set service
# time, open-loop Poisson arrivals at a quarter, six tenths and nine tenths of its
# capacity. The profile is the server's own metrics page; plan and load have the same
# arrivals, since they have the same seed.
#
#   plan.sh BIN_FOLDER SECONDS
#
# Ends with "1 passed, 0 failed" if p99 and throughput are within 15 % at all three.
set -euo pipefail
bin=$1 seconds=$2
batch_ms=20 max_batch=8

work=$(mktemp -d)
: >"$work/log" # before the server, so that tail finds it
"$bin/groupmamba-server" --listen 127.0.0.1:0 --metrics 127.0.0.1:0 \
  --engine fake:$batch_ms --max-batch $max_batch 2>"$work/log" &
server=$!
trap 'kill -TERM $server 2>/dev/null || true; rm -rf "$work"' EXIT
tail -n +1 -f --pid=$server "$work/log" 2>/dev/null | grep -q -m1 ' serving ' || true
address() { sed -n "s/.* serving .*$1=\([^ ]*\).*/\1/p" "$work/log"; }
target=$(address address) metrics=$(address metrics)
[ -n "$target" ] || { cat "$work/log" >&2; exit 1; }

passed=1
printf '%8s | %26s | %26s\n' '' 'p99 ms' 'answers/s'
printf '%8s | %8s %8s %8s | %8s %8s %8s\n' calls/s plan measured ratio plan measured ratio
for share in 0.25 0.6 0.9; do
  rate=$(awk "BEGIN { print $share * $max_batch * 1000 / $batch_ms }")
  "$bin/groupmamba-client" load --target "$target" --rate "$rate" --synthetic 32x32 --raw \
    --warmup 0 --duration "$seconds" --deadline-ms 1000 --json - >"$work/load" 2>/dev/null ||
    [ -s "$work/load" ]
  python3 -c "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())" \
    "http://$metrics/metrics" >"$work/page"
  "$bin/groupmamba-client" plan --profile "$work/page" --slo p99=1000ms --rate "$rate" \
    --replicas 1 --calls "$(awk "BEGIN { print int($rate * $seconds) }")" --json >"$work/plan"
  python3 - "$work" "$rate" <<'PYTHON' || passed=0
import json, sys
plan = json.load(open(sys.argv[1] + "/plan"))
load = json.load(open(sys.argv[1] + "/load"))
pairs = [(plan["p99_ms"], load["latency_ms"]["p99"]),
         (plan["answered_per_s"], load["achieved_per_s"])]
print(f"{float(sys.argv[2]):8.0f} |" +
      " |".join(f" {p:8.1f} {m:8.1f} {p / m:8.2f}" for p, m in pairs))
sys.exit(not all(abs(p / m - 1) <= 0.15 for p, m in pairs))
PYTHON
done
kill -TERM $server
wait $server
echo "$passed passed, $((1 - passed)) failed"
[ $passed = 1 ]
