#!/usr/bin/env bash
# What a server does with more than it can: open-loop Poisson arrivals at 1, 3 and 10
# times what it can answer, deadlines of 1 s.
#
#   overload.sh BIN_FOLDER SECONDS LOAD_OPTION... -- SERVER_OPTION...
#
# Measures the server's peak with callers who wait for each answer, then says at each rate
# how many answers came in time and how soon the others were refused, by the client's and
# by the server's clock, and when a new caller is served again once the load has ended.
# Ends with "1 passed, 0 failed" if goodput is at least 95 % of the peak at 3 times and
# 90 % at 10 times, 99 % of the refusals come within 4 ms by the server's clock and 20 ms
# by the client's, and recovery takes at most 2 s.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=serve.sh
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"
bin=$1 seconds=$2
shift 2
load=()
while [ "$1" != -- ]; do
  load+=("$1")
  shift
done
shift

work=$(mktemp -d) server=
trap 'kill -TERM $server 2>/dev/null || true; rm -rf "$work"' EXIT
start_server "$bin" "$work/log" "$@"

# run NAME OPTION...: a run of the client, its report in $work/NAME. Calls fail, as they
# should.
run() {
  "$bin/groupmamba-client" load --target "$target" --deadline-ms 1000 --json - \
    --max-in-flight 20000 "${load[@]}" "${@:2}" >"$work/$1" 2>"$work/$1.err" ||
    [ -s "$work/$1" ] || { cat "$work/$1.err" >&2; exit 1; }
}
# value NAME EXPRESSION: of a report, which is called d.
value() { python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print($2)" "$work/$1"; }

run peak --concurrency 12 --warmup 2 --duration "$seconds"
peak=$(value peak "d['achieved_per_s']")
echo "peak: $peak answers/s"
printf '%8s %10s %10s %8s %8s %16s %10s\n' \
  load offered/s goodput/s 'of peak' expired 'refused p99 ms' recovery
passed=1
for times in 1 3 10; do
  rate=$(awk "BEGIN { print $times * $peak }")
  begun=$(date +%s.%N)
  run "at$times" --rate "$rate" --warmup 2 --duration "$seconds"
  # The last was sent so long ago; now another caller, ten times a second.
  ago=$(awk -v b="$begun" -v n="$(date +%s.%N)" -v s="$seconds" 'BEGIN { print n - b - s - 2 }')
  run "after$times" --rate 10 --arrivals constant --warmup 0 --duration 3
  goodput=$(value "at$times" "d['achieved_per_s']")
  expired=$(value "at$times" "d['codes'].get('DEADLINE_EXCEEDED', 0)")
  refused_ms=$(value "at$times" "d['failed_latency_ms']['p99'] if d['failed'] else 0")
  recovery=$(value "after$times" "$ago + d['failed'] / 10")
  awk -v t="$times" -v r="$rate" -v g="$goodput" -v p="$peak" -v m="$refused_ms" -v s="$recovery" \
    -v e="$expired" '
    BEGIN {
      printf "%7sx %10.1f %10.1f %7.1f%% %8d %16.2f %8.1f s\n", t, r, g, 100 * g / p, e, m, s
      least = t == 3 ? 0.95 : t == 10 ? 0.9 : 0
      exit g < least * p || m > 20 || s > 2
    }' || passed=0
done
python3 - "http://$metrics/metrics" <<'PYTHON' || passed=0
import re, sys, urllib.request
page = urllib.request.urlopen(sys.argv[1]).read().decode()
def of(pattern):
    return float(re.search("^groupmamba_" + pattern + " (.*)$", page, re.M).group(1))
total = of("refusal_duration_seconds_count")
soon = of(r'refusal_duration_seconds_bucket\{le="0.004"\}')
print(f"by the server's clock {soon:.0f} of {total:.0f} refusals within 4 ms; reasons:",
      ", ".join(re.findall(r'^groupmamba_refused_total\{reason="(.*? [1-9].*)$', page, re.M)).replace('"}', ""))
sys.exit(total > 0 and soon < 0.99 * total)
PYTHON
kill -TERM $server
wait $server
echo "$passed passed, $((1 - passed)) failed"
[ $passed = 1 ]
