#!/usr/bin/env bash
# Ends one rank of a training run at random moments, resumes the run each time with another number of ranks, and
# compares the result with that of one process: models and the optimizer's state bit for bit, and the metrics except for
# speeds and times. After each interruption, mpirun must end soon, and every checkpoint must load.
# scripts/rank_crash_test.sh [--with HOW] [ROUNDS] [SEED]
#   HOW     KILL (the default)  SIGKILL, of which mpirun must name the rank
#           HUP, INT, TERM, USR1, USR2, XCPU, ALRM, PWR
#                               the signal; all ranks must end properly, with a checkpoint
#   ROUNDS  interruptions, by default 20
# TRAINER is the program to test, by default the release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/run_tools.sh

how=KILL
if [ "${1:-}" = --with ]; then
  how=${2:?--with needs a way to interrupt}
  shift 2
fi
rounds=${1:-20}
RANDOM=${2:-1}
case $how in
  KILL | HUP | INT | TERM | USR1 | USR2 | XCPU | ALRM | PWR) ;;
  *) echo "--with '$how', expected KILL, HUP, INT, TERM, USR1, USR2, XCPU, ALRM or PWR" >&2; exit 2 ;;
esac
limit_ms=10000  # In which mpirun must end.
numbers_of_ranks=(1 2 3 4 6 8)  # They divide the shards.

find_mpirun
find_trainer
train=("$trainer" --config configs/sparse_mlp.pbtxt --set training.steps=160 --set checkpoint.every_steps=10
       --set evaluation.every_steps=40 --set logging.every_steps=10 --set training.batch_size=8
       --set training.accumulate_steps=24 --set training.shards=24 --set data.glyphs.train_size=4000)
work=$(mktemp -d)
folder=$work/round
run=$folder/run
child=
clean_up() {
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null || true  # It then ends its ranks.
    wait "$child" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap clean_up EXIT

fail() {
  echo "round $round, $ranks ranks: $*" >&2
  tail -n 5 "$work/out" "$work/err" >&2
  exit 1
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }
seconds() { printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }  # MILLISECONDS

# Starts or resumes the run with another number of ranks than before. Sets $child to mpirun and $pids to its ranks.
# Background jobs of a script ignore INT, and those of nohup ignore HUP; env undoes that.
begin() {
  local command=("${train[@]}" --out "$run") before=$ranks pid rank
  if [ -e "$run/config.pbtxt" ]; then command=("$trainer" --resume "$run"); fi
  while [ "$ranks" -eq "$before" ]; do ranks=${numbers_of_ranks[RANDOM % ${#numbers_of_ranks[@]}]}; done
  env --default-signal "${mpirun[@]}" -n "$ranks" "${command[@]}" --threads $((1 + RANDOM % 2)) \
    >"$work/out" 2>"$work/err" &
  child=$!
  # The ranks are known by their parent and by what it has told them, because others may train here, too.
  pids=()
  until [ "${#pids[@]}" -eq "$ranks" ]; do
    kill -0 "$child" 2>/dev/null || fail "mpirun ended before its ranks had begun"
    for pid in $(pgrep --parent "$child"); do
      rank=$({ tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p'; } 2>/dev/null) || true
      if [ -n "$rank" ]; then pids[rank]=$pid; fi
    done
  done
}

# Sleeps for a random time, at first up to twice the time that a whole run takes in one process. After each interruption
# the limit grows, because the run would otherwise reach its end too rarely.
wait_a_moment() {
  local moment=$(((RANDOM * 32768 + RANDOM) % (whole_ms * (8 + since_beginning) / 4)))
  sleep "$(seconds "$moment")"
}

# Whether one of these processes runs. Dead ones may stay in the table for a while.
lives() {  # PID...
  ps --no-headers -o stat --pid "$(IFS=, && echo "$*")" | grep -qv '^Z'
}

# Waits for mpirun and its ranks and sets $status, and $took to the milliseconds since it was called.
await_end() {  # [LIMIT_MS AFTER_WHAT]
  local began
  began=$(now_ms)
  took=0
  while lives "$child" "${pids[@]}"; do
    took=$(($(now_ms) - began))
    if [ -n "${1:-}" ] && [ "$took" -gt "$1" ]; then fail "mpirun or a rank still runs $(seconds "$1") s after $2"; fi
    sleep 0.01
  done
  status=0
  wait "$child" 2>/dev/null || status=$?
  child=
}

require_nothing_temporary() {
  local left
  left=$(find "$folder" -name '*.tmp-*')
  [ -z "$left" ] || fail "left behind: $left"
}

# Sets $checkpoints to their number.
require_that_checkpoints_load() {
  local checkpoint
  checkpoints=0
  for checkpoint in "$run"/checkpoints/step-*; do
    case $checkpoint in *'*' | *.tmp-*) continue ;; esac
    "$trainer" evaluate --run "$run" --checkpoint "${checkpoint##*-}" >"$work/evaluation" 2>&1 ||
      fail "$checkpoint does not load: $(tail -1 "$work/evaluation")"
    checkpoints=$((checkpoints + 1))
  done
}

# What mpirun and the ranks have to say after the signal.
require_order() {  # RANK
  local stopped
  [ "$status" -eq $((128 + $(kill -l "$how"))) ] || fail "ended with $status after $how for rank $1"
  if [ "$how" = KILL ]; then
    grep -q "rank $1 " "$work/err" || fail "nothing names rank $1, which was killed"
    return
  fi
  # Before it has printed anything, the program may not handle signals yet.
  if [ ! -s "$work/out" ]; then return; fi
  stopped=$(sed -n 's/^stopped after step \([0-9]*\);.*/\1/p' "$work/out")
  if [ -n "$stopped" ]; then
    [ -e "$run/checkpoints/step-$stopped/trainer.json" ] || fail "no checkpoint of step $stopped"
  else
    grep -q '^stopped before a step was made' "$work/out" || fail "did not end in order after $how for rank $1"
  fi
  require_nothing_temporary
}

# Compares a run that came to its end with that of one process, and makes room for the next.
conclude() {
  local wrong
  [ "$status" -eq 0 ] || fail "ended with $status by itself"
  wrong=$(differences "$work/whole" "$run")
  [ -z "$wrong" ] || fail "differs from the run of one process: $wrong"
  require_nothing_temporary
  echo "a run with $since_beginning interruptions: model, optimizer and metrics are those of one process"
  finished=$((finished + 1))
  since_beginning=0
  rm -rf "$folder"
  mkdir "$folder"
}

began=$(now_ms)
"${train[@]}" --out "$work/whole" --threads 1 >/dev/null
whole_ms=$(($(now_ms) - began))

mkdir "$folder"
ranks=0
since_beginning=0
finished=0
longest=0
for ((round = 1; round <= rounds;)); do
  begin
  wait_a_moment
  victim=$((RANDOM % ranks))
  # Once mpirun has seen its end, the number may be that of another process.
  if ! pgrep --parent "$child" | grep -qx "${pids[victim]}" || ! kill -"$how" "${pids[victim]}" 2>/dev/null; then
    await_end
    conclude
    continue
  fi
  await_end "$limit_ms" "$how for rank $victim"
  # It was at its end anyway.
  if [ "$status" -eq 0 ]; then
    conclude
    continue
  fi
  require_order "$victim"
  require_that_checkpoints_load
  if [ "$took" -gt "$longest" ]; then longest=$took; fi
  echo "round $round: $how for rank $victim of $ranks, ended in $(seconds "$took") s, $checkpoints checkpoints load"
  since_beginning=$((since_beginning + 1))
  round=$((round + 1))
done
if [ "$since_beginning" -gt 0 ]; then
  begin
  await_end
  conclude
fi
echo "$how: $rounds interruptions in $finished runs, nothing lost; mpirun ended within $(seconds "$longest") s"
