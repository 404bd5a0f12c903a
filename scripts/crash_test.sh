#!/usr/bin/env bash
# Kills a training run with SIGKILL at random moments, resumes it until it ends, and compares the result with an
# uninterrupted run's, bit for bit; before that, runs with one and with two threads. MODEL is mlp (the default) or gpt.
# scripts/crash_test.sh [ROUNDS] [SEED] [MODEL]
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-5}
RANDOM=${2:-1}
cmake --preset release >/dev/null
cmake --build --preset release --target trainer >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trainer=build/release/bin/trainer
case ${3:-mlp} in
  mlp) train=("$trainer" --config configs/sparse_mlp.pbtxt --set training.steps=300 --set checkpoint.every_steps=20
              --set evaluation.every_steps=50 --set data.glyphs.train_size=4000) ;;
  gpt) train=("$trainer" --config configs/gpt_tiny.pbtxt --sparse --set training.steps=120
              --set checkpoint.every_steps=10 --set training.tokens_per_step=4096) ;;
  *) echo "MODEL is '$3', expected mlp or gpt" >&2; exit 2 ;;
esac

"${train[@]}" --out "$work/whole" --threads 1 >/dev/null
"${train[@]}" --out "$work/two_threads" --threads 2 >/dev/null
cmp "$work/whole/model.safetensors" "$work/two_threads/model.safetensors"
echo "threads 1 and 2: model.safetensors is bit-identical"

for ((round = 1; round <= rounds; ++round)); do
  run=$work/killed$round
  "${train[@]}" --out "$run" >/dev/null & child=$!
  kills=0
  while :; do
    # A moment within about the first four seconds of work, in milliseconds.
    sleep "$(printf '%d.%03d' $((RANDOM % 4)) $((RANDOM % 1000)))"
    kill -KILL "$child" 2>/dev/null || true
    status=0
    wait "$child" 2>/dev/null || status=$?
    [ "$status" -eq 0 ] && break
    [ "$status" -eq 137 ] || { echo "round $round: ended with $status" >&2; exit 1; }
    kills=$((kills + 1))
    if [ -e "$run/config.pbtxt" ]; then
      "$trainer" --resume "$run" >"$work/log" 2>&1 & child=$!
    else
      "${train[@]}" --out "$run" >/dev/null & child=$!
    fi
  done
  cmp "$work/whole/model.safetensors" "$run/model.safetensors"
  left=$(find "$run" -name '.tmp-*' -o -name '*.tmp-*' | wc -l)
  echo "round $round: $kills kills, model.safetensors is bit-identical, temporary files left: $left"
done
