#!/usr/bin/env bash
# What floods of frames do to honest callers and to the server's memory, with the frame guard
# and without: flood.sh BIN SECONDS [SERVER OPTION...]. Needs the machine for itself.
set -euo pipefail
bin=$1
seconds=$2
shift 2
here=$(dirname "${BASH_SOURCE[0]}")
work=$(mktemp -d)
server=""
flood=""
trap 'kill $server $flood 2>/dev/null || true; rm -rf "$work"' EXIT

rss_mb() { awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$server/status"; }

# run GUARD KIND
run() {
  "$bin/groupmamba-server" --engine=fake:1 --listen=127.0.0.1:0 --metrics=127.0.0.1:0 \
    --frame-guard="$1" "${options[@]}" 2>"$work/log" &
  server=$!
  until grep -q ' serving ' "$work/log"; do kill -0 $server; done
  port=$(sed -n 's/.* serving address=127.0.0.1:\([0-9]*\).*/\1/p' "$work/log")
  load() {
    "$bin/groupmamba-client" load --target "127.0.0.1:$port" --synthetic 32x32 --raw --rate 200 \
      --duration "$seconds" --warmup 0.5 --metrics none --json "$work/load.json" \
      >/dev/null 2>&1 || true
    python3 -c "
import json; d = json.load(open('$work/load.json'))
print('%.1f ms, %d failed' % (d['latency_ms']['p99'], d['failed']))"
  }
  quiet=$(load)
  before=$(rss_mb)
  python3 "$here/flood.py" "$port" "$2" "$(awk "BEGIN {print $seconds + 2}")" >"$work/flood" &
  flood=$!
  flooded=$(load)
  wait $flood || true
  flood=""
  printf '%-13s guard %-5s  p99 %s; flooded %s; memory +%d MB; %s\n' "$2" "$1" "$quiet" \
    "$flooded" "$(($(rss_mb) - before))" "$(cat "$work/flood")"
  kill $server
  wait $server || true
  server=""
}

options=("$@")
for kind in ${KINDS:-reset ping settings empty continuation upload}; do
  run true "$kind"
  run false "$kind"
done
