#!/usr/bin/env bash
# The bundled model, end to end: the real server on models/, the real client on the
# twelve bundled pictures, good and bad input in turn, then SIGTERM.
# Usage: bundled_model_test.sh BIN_DIR CHECKOUT
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=serve.sh
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"
bin=$1
root=$2
work=$(mktemp -d)
server=
trap 'kill -KILL "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
passed=0
failed=0

# check RULE COMMAND...: the command succeeds.
check() {
  local rule=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$rule"
  fi
}

start_server "$bin" "$work/log" --models "$root/models" ||
  { echo "0 passed, 1 failed"; exit 1; }

classify() { "$bin/groupmamba-client" classify --target "$target" --json "$@"; }
# error_code: the code in the one JSON line on standard input.
error_code() { sed -n 's/.*"code": *"\([A-Z_]*\)".*/\1/p'; }

# The pictures' names end in their labels: 01-ankle-boot.png.
labels_right() {
  local right=0 line name label
  while read -r line; do
    name=$(sed -n 's/.*"path": *"[^"]*\/[0-9]*-\([^"]*\)\.png".*/\1/p' <<<"$line")
    label=$(sed -n 's/.*"predictions": *\[{[^}]*"label": *"\([^"]*\)".*/\1/p' <<<"$line" |
      tr 'A-Z ' 'a-z-')
    [ "$name" = "$label" ] && right=$((right + 1))
  done
  printf 'labels right: %d\n' $right
  [ $right -ge 11 ]
}
classify "$root"/client/samples >"$work/first"
check "twelve pictures are answered" [ "$(wc -l <"$work/first")" -eq 12 ]
check "at least eleven of twelve labels are right" labels_right <"$work/first"

sample=$(find "$root/client/samples" -name '*.png' | sort | head -n 1)
bytes=$(stat -c %s "$sample")
: >"$work/empty.png"
head -c 5000 /dev/zero >"$work/zeros.jpg"
{ printf 'BM'; tail -c +3 "$sample"; } >"$work/wrong-magic.png"
cp "$sample" "$work/large.png"
truncate -s 17M "$work/large.png"
for i in $(seq 1 20); do head -c $((bytes * i / 21)) "$sample" >"$work/cut-$i.png"; done
for bad in "$work"/*.png "$work"/*.jpg; do
  line=$(classify "$bad" || true)
  check "$(basename "$bad") is INVALID_ARGUMENT" \
    [ "$(error_code <<<"$line")" = INVALID_ARGUMENT ]
  message=${line##*"message"}
  check "$(basename "$bad"): no path of the server leaks" \
    [ "$(grep -c -F -e "$root" -e "/models" <<<"$message")" -eq 0 ]
done
classify "$root"/client/samples >"$work/again"
strip_times() { sed 's/"timing_ms".*//' "$1"; }
check "after all that, the same answers to the last digit" \
  [ "$(strip_times "$work/first")" = "$(strip_times "$work/again")" ]
check "by the same process" kill -0 $server

page=$(curl -s "http://$metrics/metrics")
count_of() { grep -F "code=\"$1\"" <<<"$page" | grep '^groupmamba_requests_total' |
  awk '{sum += $2} END {print sum + 0}'; }
check "the metrics page counts the good calls" [ "$(count_of OK)" -eq 24 ]
check "the metrics page counts the bad calls" [ "$(count_of INVALID_ARGUMENT)" -eq 24 ]

kill -TERM $server
code=0
wait $server || code=$?
check "SIGTERM ends it with code 0" [ $code -eq 0 ]

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
