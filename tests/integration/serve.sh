# shellcheck shell=bash
# For scripts that need a server of their own; sourced.

# start_server BIN_FOLDER LOG OPTION...: starts groupmamba-server on ports that the system
# gives and waits until it serves. Sets server (its process), target and metrics (its
# addresses). Fails, with the log on standard error, where it does not come up. The caller
# stops it.
start_server() {
  local bin=$1 log=$2
  shift 2
  : >"$log" # before the server, so that nobody reads an older one's
  "$bin/groupmamba-server" --listen 127.0.0.1:0 --metrics 127.0.0.1:0 "$@" 2>"$log" &
  server=$!
  # The log says when it serves; tail ends with the server, so nothing can hang.
  tail -n +1 -f --pid=$server "$log" 2>/dev/null | grep -q -m1 ' serving ' || true
  target=$(sed -n 's/.* serving .*address=\([^ ]*\).*/\1/p' "$log" | head -n 1)
  # shellcheck disable=SC2034  # the caller's
  metrics=$(sed -n 's/.* serving .*metrics=\([^ ]*\).*/\1/p' "$log" | head -n 1)
  [ -n "$target" ] || { cat "$log" >&2; return 1; }
}
