#!/usr/bin/env bash
# What `load --find-slo` and `plan` say, held against what a server does. First the highest
# rate within the objective p99=50ms, three times; then open-loop Poisson arrivals at a
# quarter, six tenths and nine tenths of the server's capacity, beside what `plan` predicts
# from the report of that very load. Plan and load have the same arrivals, since they have
# the same seed.
#
#   plan.sh BIN_FOLDER SECONDS [SERVER_OPTION...]
#
# Without options: a fake engine with a set service time, whose capacity is known; the
# search is left out (check_load.py has it). With them the capacity is the rate found, and
# the server has the machine's first core and the client the second:
#
#   plan.sh build/release/bin 10 --models models
#
# Ends with "1 passed, 0 failed" if the searches agree within 5 %, and p99 and throughput
# are within 15 % at all three loads.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=serve.sh
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"
bin=$1 seconds=$2
shift 2

work=$(mktemp -d) server=
trap 'kill -TERM $server 2>/dev/null || true; rm -rf "$work"' EXIT
load=("$bin/groupmamba-client" load --synthetic 48x48 --raw --duration "$seconds")
passed=1

# Three searches; sets capacity to the rate in the middle.
search() {
  local seed rates=()
  for seed in 1 2 3; do
    "${load[@]}" --target "$target" --metrics "$metrics" --find-slo p99=50ms --seed $seed \
      >"$work/text" 2>&1 || true
    grep -E ' of 5 | highest ' "$work/text"
    rates+=("$(sed -n 's/.*highest rate *\([0-9,]*\).*/\1/p' "$work/text" | tr -d ,)")
  done
  mapfile -t rates < <(printf '%s\n' "${rates[@]}" | sort -n)
  capacity=${rates[1]}
  awk -v low="${rates[0]}" -v high="${rates[2]}" 'BEGIN {
    printf "searches: %d to %d calls/s, %.1f %% apart\n", low, high, 100 * (high / low - 1)
    exit high / low > 1.05 }' || passed=0
}

if [ $# -eq 0 ]; then
  start_server "$bin" "$work/log" --engine fake:20 --max-batch 8
  capacity=400
else
  # A real model computes: on the client's core it would make the client late.
  start_server "$bin" "$work/log" --threads 1 --decode-threads 1 "$@"
  taskset -a -p -c 0 $server >/dev/null
  load=(taskset -c 1 "${load[@]}")
  search
fi

printf '%8s | %26s | %26s\n' '' 'p99 ms' 'answers/s'
printf '%8s | %8s %8s %8s | %8s %8s %8s\n' calls/s plan measured ratio plan measured ratio
for share in 0.25 0.6 0.9; do
  rate=$(awk "BEGIN { print $share * $capacity }")
  "${load[@]}" --target "$target" --rate "$rate" --warmup 0 --deadline-ms 1000 \
    --metrics "$metrics" --json - >"$work/load" 2>/dev/null || [ -s "$work/load" ]
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
