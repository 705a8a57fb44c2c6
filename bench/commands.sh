# shellcheck shell=bash disable=SC2154  # what ./dev has set
# Of ./dev: what measures, and what tests at full length.

cmd_bench() { #   runs the benches (each prints machine, commit and the ratio to its limit)
  build all
  [ -d build/models/tiny ] || build/release/bin/make-model tiny 1 build/models
  local program
  for program in build/release/bin/*_bench; do
    say "$program"
    "$program" "$@"
  done
}

cmd_bench_training() { # training's images/s on threads and processes, beside the product's limit
  build scaling_bench
  build/release/bin/scaling_bench "$@"
}

# A folder for servers that serve tiny and nothing else.
tiny_alone() {
  [ -d build/tiny/tiny ] || build/release/bin/make-model tiny 1 build/tiny
}

# Rounds of the engine alone and of the whole server in turns: a busy minute hits both.
cmd_bench_serving() { # pictures a second over gRPC (16 callers, 500x375 JPEGs), beside the engine's
  build groupmamba-server groupmamba-client make-model model_bench write_pictures
  [ -d build/models/tiny ] || build/release/bin/make-model tiny 1 build/models
  tiny_alone
  build/release/bin/write_pictures build/pictures
  serve --models build/tiny "$@"
  local round engine served precision
  precision=$(sed -n 's/.* model ready model=tiny .*precision=\([a-z0-9]*\).*/\1/p' "$server_log")
  for round in 1 2 3; do
    engine=$(build/release/bin/model_bench --engines native --precision "$precision" --batches 8 \
      --threads "$(nproc)" --rounds 5 --json 2>/dev/null | sed -n 's/.*"images_per_s": \([0-9.]*\).*/\1/p')
    served=$(build/release/bin/groupmamba-client load --target "$target" --model tiny \
      --concurrency 16 --duration 20 --deadline-ms 60000 --json - build/pictures |
      sed -n 's/.*"achieved_per_s": *\([0-9.]*\).*/\1/p')
    awk -v r="$round" -v e="$engine" -v s="$served" 'BEGIN {
      printf "round %d: engine alone %.2f images/s, over gRPC %.2f, ratio %.2f\n", r, e, s, s / e }'
  done
  stop_server
}

cmd_bench_memory() { # [REQUESTS]: the server's memory while tiny answers so many (10000)
  build groupmamba-server groupmamba-client make-model write_pictures
  tiny_alone
  build/release/bin/write_pictures build/pictures
  serve --models build/tiny
  local answered=0 more
  while [ "$answered" -lt "${1:-10000}" ]; do
    more=$(build/release/bin/groupmamba-client load --target "$target" --metrics none --model tiny \
      --concurrency 16 --warmup 0 --duration 30 --deadline-ms 60000 --json - build/pictures |
      sed -n 's/^  "ok": *\([0-9]*\).*/\1/p')
    [ "${more:-0}" -gt 0 ] || fail "the server answered nothing; its log: $server_log"
    answered=$((answered + more))
    awk -v n="$answered" '/^VmRSS/ { printf "%6d answers: %.1f MB\n", n, $2 / 1024 }' \
      "/proc/$server/status"
  done
  stop_server
}

# A minute in the tests' form; an hour shows a leak of 1 MB/h. On the tiny model or, with
# further arguments, any server: ./dev soak 60 --engine fake:20 --max-batch 4
cmd_soak() { # [MINUTES]: a server at 70 % of its capacity, mixed traffic: memory and descriptors (60)
  build groupmamba-server groupmamba-client make-model write_pictures
  local minutes=${1:-60}
  [ $# -eq 0 ] || shift
  tiny_alone
  build/release/bin/write_pictures build/pictures
  [ $# -gt 0 ] || set -- --models build/tiny
  tests/integration/soak.py build/release/bin build/pictures "$minutes" "$@"
}

# On the tiny model or, with arguments, any server:
# ./dev bench-overload --engine fake:20 --max-batch 4
cmd_bench_overload() { # goodput at 1, 3 and 10 times the peak, refusals, recovery
  build groupmamba-server groupmamba-client make-model write_pictures
  tiny_alone
  build/release/bin/write_pictures build/pictures
  [ $# -gt 0 ] || set -- --models build/tiny
  tests/integration/overload.sh build/release/bin 20 build/pictures -- "$@"
}

cmd_drains() { # [N]: SIGTERM at 80 % load, N times (100); nothing accepted may be lost
  build groupmamba-server groupmamba-client
  tests/integration/drains.py build/release/bin "${1:-100}"
}

cmd_chaos() { # [SEEDS [FIRST]]: faults of all kinds by seed (20), and whether the books balance
  build groupmamba-server groupmamba-client chaos
  build/release/bin/chaos build/release/bin "${1:-20}" "${2:-1}"
}

cmd_bench_reloads() { # [COUNT]: replaces the bundled model so often (1000) under load
  build groupmamba-server reloads
  build/release/bin/reloads build/release/bin . "${1:-1000}" --max-batch 2
}

cmd_check_load() { # whether `load` keeps its promises: null server, stalls, searches; 5 minutes
  build groupmamba-server groupmamba-client
  tests/client/load/check_load.py build/release/bin "$@"
}

cmd_bench_gpu() { # CUDA: kernels', engine's and operators' tests and a bench beside the GPU's limits
  cmd_build_cuda cuda_device_test cuda_engine_test cuda_operators_test gpu_bench make-model
  [ -d build/models/tiny ] || build/cuda/bin/make-model tiny 1 build/models
  build/cuda/bin/cuda_device_test
  build/cuda/bin/cuda_engine_test
  build/cuda/bin/cuda_operators_test
  build/cuda/bin/gpu_bench "$@"
}
