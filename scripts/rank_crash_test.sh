#!/usr/bin/env bash
# Kills a random rank of a training run at a random moment, checks that all end and that nothing is half written, goes on
# with another number of ranks until the run ends, and compares it with that of one process: weights, masks, the
# optimizer's state, and metrics except for speeds and times.
# scripts/rank_crash_test.sh [--with HOW] [ROUNDS] [SEED]
#   HOW     KILL (the default)     SIGKILL; all must end within 10 seconds, and mpirun must name the rank
#           HUP, INT, TERM, USR1, USR2, XCPU, ALRM, PWR
#                                  the signal, to one rank; all must end properly
#   ROUNDS  how many ranks are killed (20), over as many runs as that takes
# The environment variable TRAINER names the program to test; otherwise that of the release preset is built.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/run_support.sh

how=KILL
if [ "${1:-}" = --with ]; then
  how=${2:?--with needs a signal}
  shift 2
fi
rounds=${1:-20}
RANDOM=${2:-1}
case $how in
  KILL | HUP | INT | TERM | USR1 | USR2 | XCPU | ALRM | PWR) ;;
  *) echo "--with '$how', expected KILL, HUP, INT, TERM, USR1, USR2, XCPU, ALRM or PWR" >&2; exit 2 ;;
esac
find_trainer
find_launcher
train=("$trainer" --config configs/sparse_mlp.pbtxt --set data.glyphs.train_size=2000 --set data.glyphs.eval_size=1000
       --set training.batch_size=16 --set training.accumulate_steps=12 --set training.shards=12
       --set training.steps=200 --set evaluation.every_steps=20 --set checkpoint.every_steps=10
       --set logging.every_steps=10 --threads 1)
numbers_of_ranks=(1 2 3 4 6)

work=$(mktemp -d)
log=$work/log
run=$work/run
child=
clean_up() {
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null || true  # mpirun then ends its ranks.
    wait "$child" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap clean_up EXIT

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# Starts or resumes the run on a random number of ranks and sets $child to mpirun. Background jobs of a script ignore
# INT; env undoes that.
begin() {
  local command=("${train[@]}" --out "$run")
  if [ -e "$run/config.pbtxt" ]; then command=("$trainer" --resume "$run"); fi
  ranks=${numbers_of_ranks[RANDOM % ${#numbers_of_ranks[@]}]}
  env --default-signal "${launch[@]}" -n "$ranks" "${command[@]}" >"$log" 2>&1 &
  child=$!
}

# Sleeps for up to the time that a whole run takes here on one rank, and longer in a run that is interrupted again and
# again, because on a busy machine it would otherwise never reach its next checkpoint.
wait_a_moment() {
  local span=$((whole_ms * (4 + in_this_run) / 4)) moment
  moment=$(((RANDOM * 32768 + RANDOM) % span))
  sleep "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))"
}

# Waits until mpirun has started all ranks, and sets $processes to them, in their order. Fails if it ends before.
find_ranks() {
  local process rank
  while kill -0 "$child" 2>/dev/null; do
    processes=()
    for process in $(pgrep -P "$child" || true); do
      rank=$(tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
      if [ -n "$rank" ]; then processes[rank]=$process; fi
    done
    if [ "${#processes[@]}" -eq "$ranks" ]; then return 0; fi
    sleep 0.01
  done
  return 1
}

# Whether a rank runs. One that has ended may be there for a while as a zombie.
some_live() {
  local process
  for process in "${processes[@]}"; do
    if grep -q '^State:.[^XZ]' "/proc/$process/status" 2>/dev/null; then return 0; fi
  done
  return 1
}

# Sends the signal to one rank and waits for the end of all: mpirun does not wait for those that it kills. Sets $status,
# and $ended_ms to how long that took.
interrupt() {
  local sent=
  processes=()
  wait_a_moment
  if find_ranks; then
    victim=$((RANDOM % ranks))
    sent=$(milliseconds)
    kill -"$how" "${processes[victim]}" 2>/dev/null || true
  fi
  status=0
  wait "$child" || status=$?
  child=
  ended_ms=0
  if [ -z "$sent" ]; then return; fi
  while some_live && [ $(($(milliseconds) - sent)) -lt 20000 ]; do sleep 0.01; done
  ended_ms=$(($(milliseconds) - sent))
}

require_order_after_kill() {
  [ "$ended_ms" -le 10000 ] || fail "$where: $ended_ms ms until all had ended"
  grep -q "rank $victim\b" "$log" || fail "$where: the output does not name the rank"
}

require_order_after_signal() {
  # Before it has printed anything, the program may not handle signals yet.
  if ! grep -q '^twofour ' "$log" && grep -q 'exited on signal' "$log"; then return; fi
  local stopped
  stopped=$(sed -n 's/^stopped after step \([0-9]*\);.*/\1/p' "$log")
  if [ -n "$stopped" ]; then
    [ -e "$run/checkpoints/step-$stopped/trainer.json" ] || fail "$where: no checkpoint of step $stopped"
  else
    grep -q '^stopped before a step was made' "$log" || fail "$where: did not end in order"
  fi
  require_no_temporary_files
}

require_no_temporary_files() {
  local left
  left=$(find "$run" -name '*.tmp-*' 2>/dev/null || true)
  [ -z "$left" ] || fail "$where: left behind: $left"
}

# Every checkpoint must be whole.
require_whole_checkpoints() {
  local checkpoint name
  for checkpoint in "$run"/checkpoints/*; do
    [[ -e $checkpoint && $checkpoint != *.tmp-* ]] || continue
    name=${checkpoint##*/}
    "$trainer" evaluate --run "$run" --checkpoint "${name#step-}" --threads 1 >"$log" 2>&1 ||
      fail "$where: checkpoint $name does not load"
  done
}

begun=$(milliseconds)
"${train[@]}" --out "$work/whole" >"$log" 2>&1 || fail "one process failed"
whole_ms=$(($(milliseconds) - begun))
echo "one process: $whole_ms ms"

# The run has come to its end: compares it with that of one process and removes it.
require_same() {
  local different
  different=$(differences "$work/whole" "$run" | paste -sd ' ')
  [ -z "$different" ] || fail "$where: after $in_this_run interruptions other than in one process: $different"
  require_no_temporary_files
  rm -rf "$run"
  if [ "$in_this_run" -gt 0 ]; then compared=$((compared + 1)); fi
  in_this_run=0
}

interruptions=0
in_this_run=0
compared=0
longest_ms=0
while [ "$interruptions" -lt "$rounds" ]; do
  where="round $((interruptions + 1))"
  begin
  interrupt
  if [ "$status" -eq 0 ]; then
    require_same
    continue
  fi
  [ "$status" -eq $((128 + $(kill -l "$how"))) ] || fail "$where: $how to rank $victim of $ranks: ended with $status"
  interruptions=$((interruptions + 1))
  in_this_run=$((in_this_run + 1))
  if [ "$ended_ms" -gt "$longest_ms" ]; then longest_ms=$ended_ms; fi
  where+=": $how to rank $victim of $ranks"
  if [ "$how" = KILL ]; then require_order_after_kill; else require_order_after_signal; fi
  ! some_live || fail "$where: a rank lives on"
  require_whole_checkpoints
  echo "$where: ended within $ended_ms ms; newest checkpoint: $(readlink "$run/checkpoints/last" || echo none)"
done
if [ "$in_this_run" -gt 0 ]; then
  begin
  status=0
  wait "$child" || status=$?
  child=
  [ "$status" -eq 0 ] || fail "the last resume: ended with $status"
  require_same
fi
echo "$how: $rounds ranks, each time all ended within $longest_ms ms; $compared finished runs are as in one process"
