#!/usr/bin/env bash
# Interrupts a training run at random moments, resumes it until it ends, and compares the result with that of an
# uninterrupted run: the model bit for bit, and the metrics except for speeds and times. Before that, it compares runs with one
# and with two threads.
# scripts/crash_test.sh [--with HOW] [ROUNDS] [SEED] [MODEL] [PRECISION]
#   HOW    KILL (the default)  SIGKILL
#          HUP, INT, TERM, USR1, USR2, XCPU, ALRM, PWR
#                              the signal; the run must end properly each time
#          PIPE                the reader of the run's output dies; the run must go on to its end
#          FULL                the disk fills up; the run must say so and leave nothing half written. Needs a small
#                              tmpfs: root, or a kernel that lets users mount one in a namespace (unshare -rm).
#                              Elsewhere a limit on the size of files takes its place.
#          ALL                 KILL, HUP, USR1, XCPU, PIPE and FULL, ROUNDS of each
#   MODEL  mlp (the default) or gpt
#   PRECISION  FP32 (the default) or BF16
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/run_tools.sh

how=KILL
if [ "${1:-}" = --with ]; then
  how=${2:?--with needs a way to interrupt}
  shift 2
fi
rounds=${1:-5}
seed=${2:-1}
model=${3:-mlp}
precision=${4:-FP32}
case $how in
  KILL | HUP | INT | TERM | USR1 | USR2 | XCPU | ALRM | PWR | PIPE | FULL) ways=("$how") ;;
  ALL) ways=(KILL HUP USR1 XCPU PIPE FULL) ;;
  *) echo "--with '$how', expected KILL, HUP, INT, TERM, USR1, USR2, XCPU, ALRM, PWR, PIPE, FULL or ALL" >&2; exit 2 ;;
esac
RANDOM=$seed
trainer=build/release/bin/trainer
case $model in
  mlp) train=("$trainer" --config configs/sparse_mlp.pbtxt --set training.steps=300 --set checkpoint.every_steps=20
              --set evaluation.every_steps=50 --set data.glyphs.train_size=4000) ;;
  gpt) train=("$trainer" --config configs/gpt_tiny.pbtxt --sparse --set training.steps=120
              --set checkpoint.every_steps=10 --set training.tokens_per_step=4096) ;;
  *) echo "MODEL is '$model', expected mlp or gpt" >&2; exit 2 ;;
esac
case $precision in
  FP32) ;;
  # With enough rows in a batch for the 2:4 kernels of bf16.
  BF16) train+=(--set training.precision=BF16)
        if [ "$model" = mlp ]; then train+=(--set training.batch_size=192); fi ;;
  *) echo "PRECISION is '$precision', expected FP32 or BF16" >&2; exit 2 ;;
esac

# Users who may not mount may still do so in a namespace of their own, so the script starts itself again in one.
if [[ " ${ways[*]} " == *" FULL "* ]] && [ "$(id -u)" -ne 0 ] && [ -z "${CRASH_TEST_NAMESPACE:-}" ] &&
   unshare -rm true 2>/dev/null; then
  CRASH_TEST_NAMESPACE=1 exec unshare -rm "$0" --with "$how" "$rounds" "$seed" "$model" "$precision"
fi

cmake --preset release >/dev/null
cmake --build --preset release --target trainer >/dev/null
work=$(mktemp -d)
disk=$work/disk
child=
clean_up() {
  if [ -n "$child" ]; then
    kill -KILL "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  if mountpoint -q "$disk"; then umount "$disk"; fi
  rm -rf "$work"
}
trap clean_up EXIT

fail() {
  echo "$*" >&2
  [ ! -e "$work/log" ] || tail -5 "$work/log" >&2
  exit 1
}

# Sleeps for a random time, at first up to the time that a whole run takes here. After each interruption the limit
# grows, because on a busy machine the run would otherwise never reach its next checkpoint.
wait_a_moment() {
  local span=$((whole_ms * (4 + interruptions) / 4)) moment
  moment=$(((RANDOM * 32768 + RANDOM) % span))
  sleep "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))"
}

# Starts or resumes the run and sets $child. Background jobs of a script ignore INT, and those of nohup ignore HUP; env
# undoes that.
begin() {
  local command=("${train[@]}" --out "$run")
  if [ -e "$run/config.pbtxt" ]; then command=("$trainer" --resume "$run"); fi
  : >"$work/log"
  (
    if [ -n "${size_limit:-}" ]; then ulimit -f "$size_limit"; fi
    exec env --default-signal "${command[@]}"
  ) >"$1" 2>&1 &
  child=$!
}

await_end() {
  status=0
  wait "$child" 2>/dev/null || status=$?
}

# A run that ended properly must have left nothing half written. A killed run must have left nothing within its folder
# once it was resumed.
require_order() {
  local left where=$folder
  if [ "$way" = KILL ]; then where=$run; fi
  left=$(find "$where" -name '*.tmp-*' 2>/dev/null || true)
  [ -z "$left" ] || fail "round $round: left behind: $left"
}

by_signal() {
  begin "$work/log"
  while :; do
    wait_a_moment
    kill -"$way" "$child" 2>/dev/null || true
    await_end
    if [ "$status" -eq 0 ]; then break; fi
    [ "$status" -eq $((128 + $(kill -l "$way"))) ] || fail "round $round: ended with $status"
    interruptions=$((interruptions + 1))
    # Before it has printed anything, the program may not handle signals yet.
    if [ "$way" != KILL ] && [ -s "$work/log" ]; then
      stopped=$(sed -n 's/^stopped after step \([0-9]*\);.*/\1/p' "$work/log")
      if [ -n "$stopped" ]; then
        [ -e "$run/checkpoints/step-$stopped/trainer.json" ] || fail "round $round: no checkpoint of step $stopped"
      else
        grep -q '^stopped before a step was made' "$work/log" || fail "round $round: did not end in order"
      fi
      require_order
    fi
    begin "$work/log"
  done
}

by_reader() {
  rm -f "$work/pipe"
  mkfifo "$work/pipe"
  cat <"$work/pipe" >"$work/log" & local reader=$!
  begin "$work/pipe"
  wait_a_moment
  if kill -KILL "$reader" 2>/dev/null && kill -0 "$child" 2>/dev/null; then interruptions=1; fi
  wait "$reader" 2>/dev/null || true
  await_end
  [ "$status" -eq 0 ] || fail "round $round: ended with $status"
}

by_full_disk() {
  begin "$work/log"
  while :; do
    wait_a_moment
    head -c 1G /dev/zero >"$disk/filler" 2>/dev/null || true
    await_end
    rm "$disk/filler"
    if [ "$status" -eq 0 ]; then break; fi
    { [ "$status" -eq 1 ] && grep -q 'No space left on device' "$work/log"; } || fail "round $round: ended with $status"
    interruptions=$((interruptions + 1))
    require_order
    begin "$work/log"
  done
}

# Sets a limit that the run reaches at its first checkpoints, in its metrics or in its event file.
by_size_limit() {
  size_limit=$((1 + RANDOM % 200)) begin "$work/log"
  await_end
  if [ "$status" -ne 0 ]; then
    { [ "$status" -eq 1 ] && grep -q 'File too large' "$work/log"; } || fail "round $round: ended with $status"
    interruptions=1
    require_order
    begin "$work/log"
    await_end
  fi
  [ "$status" -eq 0 ] || fail "round $round: ended with $status"
}

began=$(date +%s%N)
"${train[@]}" --out "$work/whole" --threads 1 >/dev/null
whole_ms=$((($(date +%s%N) - began) / 1000000 + 1))
"${train[@]}" --out "$work/two_threads" --threads 2 >/dev/null
cmp "$work/whole/model.safetensors" "$work/two_threads/model.safetensors"
echo "threads 1 and 2: model.safetensors is bit-identical"

has_disk=
mkdir "$disk"
# Small, with room for a few checkpoints, so that it fills up in a moment.
if [[ " ${ways[*]} " == *" FULL "* ]]; then
  if mount -t tmpfs -o size=256m crash_test "$disk" 2>/dev/null; then
    has_disk=1
  else
    echo "FULL: cannot mount a tmpfs; a limit on the size of files takes its place"
  fi
fi
for way in "${ways[@]}"; do
  total=0
  for ((round = 1; round <= rounds; ++round)); do
    interruptions=0
    folder=$work/round
    case $way in
      PIPE) interrupt=by_reader ;;
      FULL) if [ -n "$has_disk" ]; then interrupt=by_full_disk folder=$disk/round; else interrupt=by_size_limit; fi ;;
      *) interrupt=by_signal ;;
    esac
    mkdir "$folder"
    run=$folder/run
    $interrupt
    cmp "$work/whole/model.safetensors" "$run/model.safetensors"
    cmp <(metrics "$work/whole") <(metrics "$run") || fail "round $round: other metrics"
    require_order
    echo "$way, round $round: $interruptions interruptions, model and metrics are the same, no temporary files left"
    total=$((total + interruptions))
    rm -rf "$folder"
  done
  [ "$total" -gt 0 ] || fail "$way: $rounds rounds without an interruption show nothing"
  echo "$way: $rounds rounds, $total interruptions, nothing lost"
done
