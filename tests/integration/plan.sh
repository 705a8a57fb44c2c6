#!/usr/bin/env bash
# What `plan` predicts, held against what a server does: a fake engine with a set service
# time, open-loop Poisson arrivals at a quarter, six tenths and nine tenths of its
# capacity. The profile is the report of that very load; plan and load have the same
# arrivals, since they have the same seed.
#
#   plan.sh BIN_FOLDER SECONDS
#
# Ends with "1 passed, 0 failed" if p99 and throughput are within 15 % at all three.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=serve.sh
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"
bin=$1 seconds=$2
batch_ms=20 max_batch=8

work=$(mktemp -d) server=
trap 'kill -TERM $server 2>/dev/null || true; rm -rf "$work"' EXIT
start_server "$bin" "$work/log" --engine fake:$batch_ms --max-batch $max_batch

passed=1
printf '%8s | %26s | %26s\n' '' 'p99 ms' 'answers/s'
printf '%8s | %8s %8s %8s | %8s %8s %8s\n' calls/s plan measured ratio plan measured ratio
for share in 0.25 0.6 0.9; do
  rate=$(awk "BEGIN { print $share * $max_batch * 1000 / $batch_ms }")
  "$bin/groupmamba-client" load --target "$target" --rate "$rate" --synthetic 32x32 --raw \
    --warmup 0 --duration "$seconds" --deadline-ms 1000 --metrics "$metrics" --json - \
    >"$work/load" 2>/dev/null || [ -s "$work/load" ]
  "$bin/groupmamba-client" plan --profile "$work/load" --slo p99=1000ms --rate "$rate" \
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
