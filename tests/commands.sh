# shellcheck shell=bash disable=SC2154  # what ./dev has set
# Of ./dev: the tests under sanitizers, fuzzers and other eyes.

cmd_sanitize() { # address|thread|undefined: builds and runs the tests under it
  case ${1:-} in
    address | thread | undefined) ;;
    *) fail "usage: ./dev sanitize address|thread|undefined" ;;
  esac
  need build test lint
  configure_and_build "$1" all
  run_ctest "build/$1" "${@:2}"
}

cmd_fuzz() { # SECONDS [TARGET]: fuzzes each target of tests/fuzz so long, from its seeds
  [ $# -ge 1 ] || fail "usage: ./dev fuzz SECONDS [TARGET]"
  need build lint
  local -a targets
  mapfile -t targets < <(sed -n 's/^gm_fuzz(\([a-z0-9_]*\) .*/\1/p' tests/fuzz/CMakeLists.txt)
  [ $# -lt 2 ] || targets=("$2")
  configure_and_build fuzz "${targets[@]}"
  local target
  for target in "${targets[@]}"; do
    # What is found new goes into the first folder, which is not the repository's.
    mkdir -p "build/fuzz/corpus/$target"
    say "$target for $1 s (log: $logs/$target.log)"
    local -a words=()
    [ ! -f "tests/fuzz/$target.dict" ] || words=("-dict=tests/fuzz/$target.dict")
    "build/fuzz/bin/$target" -max_total_time="$1" -timeout=10 -rss_limit_mb=4096 "${words[@]}" \
      -artifact_prefix="build/fuzz/$target." "build/fuzz/corpus/$target" \
      "tests/fuzz/corpus/$target" >"$logs/$target.log" 2>&1 ||
      { tail -n 30 "$logs/$target.log" >&2; fail "$target found something: build/fuzz/$target.*"; }
    tail -n 1 "$logs/$target.log"
  done
  say "no finding"
}

# A decoder process that is confined cannot write its counts; serve_decoder_test runs
# the same lines on a thread.
cmd_coverage() { # line coverage of server/ and model/image/ by their tests, a table by file
  need build test lint coverage
  local dir=build/coverage folder program code=0
  local -a objects=()
  configure_and_build coverage groupmamba-server groupmamba-client \
    tests/{server,integration,model/image}/all
  rm -rf $dir/profiles
  for folder in server integration model/image; do
    # %m: one file a program, added to by each of its runs.
    LLVM_PROFILE_FILE=$PWD/$dir/profiles/%m.profraw run_ctest "$dir/tests/$folder" "$@" || code=$?
  done
  llvm-profdata merge -o $dir/all.profdata $dir/profiles/*.profraw
  for program in "$dir"/bin/*; do objects+=(-object "$program"); done
  llvm-cov report -instr-profile=$dir/all.profdata "${objects[@]}" \
    -ignore-filename-regex='(^|/)(tests|generated|client|base|page|kernels|bench|usr)/|model/[^/]*$|model/(convert|cpu|device|training)/' |
    awk '/^-/ || NF < 10 || $1 == "Filename" { next } { printf "%-50s %6d lines %6d missed %8s\n", $1, $8, $9, $10 }'
  return $code
}

cmd_emulate_avx512() { # runs the AVX-512 kernels' tests with emulated intrinsics; a minute
  need build emulate
  tests/kernels/emulate_avx512.sh
}
