#!/usr/bin/env bash
# Trains small runs in one process, and again with several ranks that mpirun starts. Compares what they write bit for
# bit: models, the optimizer's state and, except for speeds and times, metrics.
# scripts/test_ranks.sh [--tcp] [CASE...]
#   --tcp  over TCP between two network namespaces, which stand for machines: first joined directly, then by a link that
#          delays each packet by 5 ms and loses 1 % of them. Needs root.
#   CASE   some of those below, such as sparse; by default all, or with --tcp a few
# TRAINER is the program to test, by default the release build. RANKS are the numbers of ranks, by default "2 3 4 6 8",
# or "2 4" with --tcp. THREADS are the numbers of threads of each rank, by default "1 2".
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/run_tools.sh
. scripts/two_machines.sh

delay_ms=5
loss_percent=1

shards=(--set training.accumulate_steps=24 --set training.shards=24)
few=(--set training.steps=8 --set logging.every_steps=2 --set evaluation.every_steps=4 --set checkpoint.every_steps=4)
# Batches with enough rows for the kernels of 2:4 weights.
mlp=(--config configs/sparse_mlp.pbtxt "${few[@]}" "${shards[@]}" --set training.batch_size=96
     --set data.glyphs.train_size=3000 --set data.glyphs.eval_size=1100)
gpt=(--config configs/gpt_tiny.pbtxt --sparse "${few[@]}" "${shards[@]}" --set training.batch_size=1
     --set evaluation.max_batches=11)

all_cases=(dense sparse two_in_a_shard bf16 dropout sgd sr_ste freeze n_decay soft_threshold cubic gradual vnm
           four_of_eight wanda obs gblm one_shot finetune activation balanced regression conv muon gpt_bf16
           fp8 gpt_nvfp4 evaluate)
few_cases=(sparse bf16 freeze wanda one_shot finetune muon evaluate)

# Sets $arguments to those that train a case, and $count to its shards.
describe() {  # CASE
  count=24
  case $1 in
    dense) arguments=("${mlp[@]}" --dense) ;;
    sparse) arguments=("${mlp[@]}") ;;
    two_in_a_shard)
      count=12
      arguments=("${mlp[@]}" --set "training.shards=$count") ;;
    # With enough rows for the 2:4 kernels of bf16.
    bf16) arguments=("${mlp[@]}" --set training.precision=BF16 --set training.batch_size=192) ;;
    dropout) arguments=("${mlp[@]}" --set model.residual_mlp.dropout=0.1) ;;
    sgd) arguments=("${mlp[@]}" --set "optimizer={ sgd {} }") ;;
    sr_ste) arguments=("${mlp[@]}" --set sparsity.masked_decay.lambda=0.01) ;;
    freeze) arguments=("${mlp[@]}" --set sparsity.freeze.step=3 --set sparsity.freeze_gradient=true) ;;
    n_decay) sparsity "stages { begin { step: 2 } keep: 3 } stages { begin { step: 5 } keep: 2 }" ;;
    soft_threshold) sparsity "algorithm: ROWS soft_threshold: true" ;;
    cubic)
      sparsity "dense_warmup: 0.2 interval: 2
                schedule { shape: CUBIC begin { step: 2 } end { step: 6 } order: RANDOM }" ;;
    gradual)
      sparsity "algorithm: PATTERN pattern: 'unstructured:0.9' interval: 2 schedule { shape: CUBIC end { step: 6 } }" ;;
    vnm) sparsity "algorithm: VNM vnm { v: 64 m: 8 }" ;;
    four_of_eight) sparsity "algorithm: PATTERN pattern: '4:8'" ;;
    wanda) sparsity "algorithm: PATTERN pattern: '2:4' score: WANDA" ;;
    obs) sparsity "algorithm: PATTERN pattern: '2:4' score: OBS interval: 3" ;;
    gblm) sparsity "score: GBLM" ;;
    one_shot)
      make_dense_run
      sparsity "algorithm: PATTERN pattern: '1:4'"
      arguments+=(--set "initial_weights='$work/dense/model.safetensors'"
                  --set "one_shot={ method: 'sparsegpt' samples: 192 rounds: 2 round_steps: 3 }") ;;
    finetune)
      make_dense_run
      arguments=(finetune --from "$work/dense" "${mlp[@]}"
                 --set "finetune={ dense_share: 0.2 search_share: 0.4 interval: 2 }") ;;
    activation) sparsity "target: ACTIVATION" ;;
    balanced) arguments=("${mlp[@]}" --set training.class_weights=BALANCED --set training.label_smoothing=0.1) ;;
    regression)
      arguments=(--config configs/regression.pbtxt "${few[@]}" "${shards[@]}" --set training.batch_size=16) ;;
    conv)
      arguments=(--config configs/mnist_conv.pbtxt "${few[@]}" "${shards[@]}" --set training.batch_size=4
                 --set training.steps=4 --set "data.glyphs={ train_size: 1000 eval_size: 300 }") ;;
    muon) arguments=("${gpt[@]}") ;;
    gpt_bf16) arguments=("${gpt[@]}" --set training.precision=BF16) ;;
    fp8) arguments=("${mlp[@]}" --set training.precision=FP8) ;;
    gpt_nvfp4) arguments=("${gpt[@]}" --set training.precision=NVFP4) ;;
    evaluate)
      make_dense_run
      arguments=(evaluate --json --run "$work/dense") ;;
  esac
}

sparsity() { arguments=("${mlp[@]}" --set "sparsity={ enabled: true $1 }"); }

fail() {  # MESSAGE [CODE]
  echo "test_ranks: $1" >&2
  exit "${2:-1}"
}

make_dense_run() {
  if [ -e "$work/dense/model.safetensors" ]; then return; fi
  "$trainer" "${mlp[@]}" --dense --out "$work/dense" >"$work/log" 2>&1 || fail "the dense run: $(tail -1 "$work/log")"
}

# Trains a case as $arguments say, or evaluates.
produce() {  # FOLDER THREADS LAUNCHER...
  local folder=$1 threads=$2
  shift 2
  rm -rf "$folder"
  if [ "${arguments[0]}" = evaluate ]; then
    mkdir "$folder"
    "$@" "$trainer" "${arguments[@]}" --threads "$threads" >"$folder/evaluation.json" 2>"$work/log"
  else
    "$@" "$trainer" "${arguments[@]}" --threads "$threads" --out "$folder" >"$work/log" 2>&1
  fi
}

# Produces the same once more. Sets $verdict to "equal" or to what went wrong, of which more is told at the end.
compare() {  # WHERE THREADS LAUNCHER...
  local where=$1 threads=$2 wrong
  shift 2
  runs=$((runs + 1))
  if ! produce "$work/run" "$threads" "$@"; then
    verdict=FAILED
    wrong=$(grep -m 1 'trainer: ' "$work/log" || tail -1 "$work/log")
  else
    verdict=DIFFERS
    wrong=$(differences "$work/one" "$work/run" | paste -sd " ")
  fi
  if [ -z "$wrong" ]; then verdict=equal; else faults+=("$where: $verdict: $wrong"); fi
}

alone() {  # CASE
  describe "$1"
  produce "$work/one" 1 || fail "$1 in one process: $(grep -m 1 'trainer: ' "$work/log" || tail -1 "$work/log")"
}

# One row for each case, and a column for each number of ranks times threads of each.
test_here() {
  local case ranks threads
  printf '%-15s' case
  for ranks in 1 $ranks_to_try; do
    for threads in $threads_to_try; do printf '%9s' "$ranks x $threads"; done
  done
  echo
  for case in "${cases[@]}"; do
    printf '%-15s' "$case"
    alone "$case"
    for ranks in 1 $ranks_to_try; do
      for threads in $threads_to_try; do
        verdict=-
        if [ $((count % ranks)) -eq 0 ]; then
          compare "$case, $ranks x $threads" "$threads" "${mpirun[@]}" -n "$ranks"
        fi
        printf '%9s' "$verdict"
      done
    done
    echo
  done
}

# One row for each case, number of ranks and way between the machines.
test_tcp() {
  local case ranks network way sent
  require_machines
  make_machines "$work" "$delay_ms" "$loss_percent"
  echo "ranks on two machines in turn; the slow link delays packets by $delay_ms ms each way and loses $loss_percent %"
  printf '%-15s %5s  %-6s  %-7s  %-29s  %s\n' case ranks way result "sent by each rank" "seconds a step"
  for case in "${cases[@]}"; do
    alone "$case"
    for ranks in $ranks_to_try; do
      for way in direct slow; do
        if [ "$way" = slow ]; then network=$slow; else network=$direct; fi
        reach_over "$network"
        compare "$case, $ranks ranks, $way" 1 "${between[@]}" -n "$ranks"
        sent=$(sed -n 's/^sent by each rank: \(.* a step\);.*/\1/p' "$work/log")
        printf '%-15s %5d  %-6s  %-7s  %-29s  %s\n' "$case" "$ranks" "$way" "$verdict" "${sent:--}" "$(seconds_a_step)"
      done
    done
  done
  remove_machines
  echo "slow link: $(tail -1 "$work/slow_link")"
}

seconds_a_step() {
  sed -n 's/^{"step":\([0-9]*\),.*"training_seconds":\([0-9.e-]*\).*/\2 \1/p' "$work/run/metrics.jsonl" 2>/dev/null |
    awk '{ mean = $1 / $2 } END { if (NR) printf "%.3f", mean; else print "-" }'
}

tcp=
if [ "${1:-}" = --tcp ]; then
  tcp=1
  shift
fi
cases=("$@")
if [ $# -eq 0 ]; then
  if [ -n "$tcp" ]; then cases=("${few_cases[@]}"); else cases=("${all_cases[@]}"); fi
fi
for case in "${cases[@]}"; do
  [[ " ${all_cases[*]} " == *" $case "* ]] || fail "CASE is '$case', expected some of ${all_cases[*]}" 2
done
ranks_to_try=${RANKS:-$(if [ -n "$tcp" ]; then echo 2 4; else echo 2 3 4 6 8; fi)}
threads_to_try=${THREADS:-1 2}
runs=0
faults=()

find_mpirun
find_trainer
work=$(mktemp -d)
clean_up() {
  if [ -n "$tcp" ]; then remove_machines; fi
  rm -rf "$work"
}
trap clean_up EXIT

if [ -n "$tcp" ]; then test_tcp; else test_here; fi
if [ "${#faults[@]}" -gt 0 ]; then
  printf '%s\n' "${faults[@]}" >&2
  fail "${#faults[@]} of $runs runs went wrong"
fi
echo "$runs runs of ${#cases[@]} cases: all equal those of one process"
