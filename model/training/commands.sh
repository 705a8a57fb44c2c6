# shellcheck shell=bash disable=SC2154  # what ./dev has set
# Of ./dev: models, and what is learnt of them.

cmd_make_model() { # tiny|small|base [SEED]: a servable folder build/models/VARIANT/1
  [ $# -ge 1 ] || fail "usage: ./dev make-model tiny|small|base [SEED]"
  build make-model
  build/release/bin/make-model "$1" "${2:-1}" build/models
}

cmd_study() { # [--wide|--stability]: whether the distilled loss helps: trains for two hours, resumable
  need train
  build groupmamba-train
  model/training/study.py build/release/bin "$@"
}

cmd_train_bundled() { # [FOLDER]: makes the bundled model again, into models/fashion/2; two hours, resumable
  need train
  build groupmamba-train
  build/release/bin/groupmamba-train --config model/training/bundled.toml --out "${1:-models/fashion/2}"
}

# The released form at 32 pixels, so that it takes minutes.
cmd_overfit() { # whether tiny learns 64 pictures by heart within 200 steps
  need build train
  build groupmamba-train
  local log=build/overfit/tiny/1/train.log.jsonl
  build/release/bin/groupmamba-train --out build/overfit/tiny/1 --restart --variant tiny \
    --side 32 --train-limit 64 --test-limit 64 --batch 16 --epochs 50 --warmup-epochs 5 \
    --learning-rate 1e-3 --ema 0.9 --label-smoothing 0 --flip false --shift 0 \
    --cutout-probability 0 "$@"
  sed -n 's/.*"event":"epoch".*"step":\([0-9]*\),.*"train_top1":\([0-9.]*\),.*/step \1: \2/p' "$log"
  grep -q '"event":"epoch".*"train_top1":1.0,' "$log" ||
    fail "tiny did not learn 64 pictures within 200 steps"
  say "learnt by heart"
}

cmd_testset() { # writes Fashion-MNIST's test pictures to build/fashion-test/<label>/
  need build train
  build fashion-export
  build/release/bin/fashion-export build/fashion-test
}

cmd_evaluate() { # top-1 of the bundled model on the 10,000 test pictures, over gRPC
  cmd_testset
  build groupmamba-server groupmamba-client
  serve --models models
  build/release/bin/groupmamba-client evaluate --target "$target" "$@" build/fashion-test
  stop_server
}
