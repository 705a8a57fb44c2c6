#!/usr/bin/env bash
# What floods of frames do to honest callers and to the server's memory, with the frame guard
# and without: flood.sh BIN SECONDS [SERVER OPTION...]. Needs the machine for itself. KINDS
# picks the floods; flood.py has them.
set -euo pipefail
bin=$1
seconds=$2
shift 2
options=("$@")
here=$(dirname "${BASH_SOURCE[0]}")
work=$(mktemp -d)
server=""
flood=""
trap 'kill -KILL $server $flood 2>/dev/null || true; rm -rf "$work"' EXIT
# shellcheck source=tests/integration/serve.sh
. "$here/serve.sh"

rss_mb() { awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$server/status"; }

# The 99th percentile of 200 honest calls a second, by a connection of their own.
honest() {
  "$bin/groupmamba-client" load --target "$target" --synthetic 32x32 --raw --rate 200 \
    --duration "$seconds" --warmup 0.5 --metrics none --json "$work/load.json" \
    >"$work/load.log" 2>&1 || true
  python3 -c "
import json; d = json.load(open('$work/load.json'))
print('%.1f ms, %d failed' % (d['latency_ms']['p99'], d['failed']))"
}

# run GUARD KIND
run() {
  start_server "$bin" "$work/log" --engine=fake:1 --frame-guard="$1" "${options[@]}"
  local quiet flooded before
  quiet=$(honest)
  before=$(rss_mb)
  python3 "$here/flood.py" "${target##*:}" "$2" "$((seconds + 2))" >"$work/flood" &
  flood=$!
  flooded=$(honest)
  wait "$flood" || true
  printf '%-12s guard %-5s  p99 %s; flooded %s; memory +%d MB; %s\n' "$2" "$1" "$quiet" \
    "$flooded" "$(($(rss_mb) - before))" "$(cat "$work/flood")"
  kill -KILL "$server"
  wait "$server" 2>/dev/null || true
}

for kind in ${KINDS:-reset-once reset ping settings empty continuation upload}; do
  run true "$kind"
  run false "$kind"
done
