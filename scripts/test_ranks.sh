#!/usr/bin/env bash
# Trains small runs in one process and then on several ranks, with one and with two threads each, and compares weights,
# masks, the optimizer's state and metrics (except for speeds and times) bit for bit. Prints a row for each.
# scripts/test_ranks.sh [--tcp] [CASE...]
#   CASE   dense, sparse, ...: see below. The default is all of them. Some evaluate what they have trained, too.
#   --tcp  Runs the ranks on two machines, which are network namespaces with host names of their own. These are joined
#          by a veth pair at first, and then by scripts/slow_link.py, which takes 5 ms for a frame and loses 1 % of
#          them. Prints seconds and bytes of a step, too. The default of CASE is then sparse, obs and muon. Needs root,
#          `ip` (Debian's iproute2) and /dev/net/tun.
# The environment variable TRAINER names the program to test; otherwise that of the release preset is built.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/run_support.sh

recipes=(sr_ste moments frozen n_decay nested s_ste cubic tiles vnm vnm_stages rows greedy random activation
         wanda obs gblm hessian one_shot finetune)
all=(dense sparse bf16 dropout conv regression "${recipes[@]}" muon muon_bf16)
evaluated=(sparse regression muon)

# Sets $command, which trains a case, and $shards. 2:4 kernels need batches of 96 rows, and those of bf16 192.
choose() {
  local sparsity=
  shards=24
  command=("${mlp[@]}")
  case $1 in
    dense) command+=(--dense) ;;
    sparse) command+=(--set training.batch_size=96) shards=12 ;;
    bf16) command+=(--set training.batch_size=192 --set training.precision=BF16) shards=12 ;;
    dropout) command+=(--set model.residual_mlp.dropout=0.1) ;;
    conv) command+=(--set "model={ conv_net { convolutions { channels: 16 pool: 2 }
                                              convolutions { channels: 32 pool: 2 } } }") shards=12 ;;
    regression) command=(--config configs/regression.pbtxt --set training.batch_size=8) ;;
    sr_ste) sparsity='masked_decay { lambda: 1e-3 place: GRADIENT }' ;;
    moments) sparsity='masked_decay { lambda: 1e-3 place: MOMENTS }' ;;
    frozen) sparsity='freeze { step: 4 } freeze_gradient: true' ;;
    n_decay) sparsity='stages { begin { step: 2 } keep: 3 } stages { begin { step: 6 } keep: 2 }' ;;
    nested) sparsity='nested_stages: true stages { begin { step: 2 } keep: 3 } stages { begin { step: 6 } keep: 2 }' ;;
    s_ste) sparsity='algorithm: ROWS soft_threshold: true' ;;
    cubic) sparsity='algorithm: PATTERN pattern: "unstructured:0.9" schedule { shape: CUBIC end { step: 8 } }' ;;
    tiles) sparsity='interval: 2 schedule { shape: CUBIC end { step: 8 } } dense_finish: 0.1' ;;
    vnm) sparsity='algorithm: VNM vnm { v: 64 m: 8 columns: KEPT }' ;;
    vnm_stages) sparsity='algorithm: VNM vnm { v: 16 m: 16 } stages { begin { step: 2 } m: 8 }
                          stages { begin { step: 6 } m: 16 }' ;;
    rows) sparsity='algorithm: ROWS rows { keep: 4 of: 8 }' ;;
    greedy) sparsity='algorithm: GREEDY interval_growth: 0.3' ;;
    random) sparsity='algorithm: RANDOM' ;;
    activation) sparsity='target: ACTIVATION' ;;
    wanda) sparsity='algorithm: PATTERN pattern: "unstructured:0.8" score: WANDA interval: 3' ;;
    obs) sparsity='score: OBS interval: 3' ;;
    gblm) sparsity='score: GBLM' ;;
    hessian) sparsity='algorithm: VNM vnm { v: 64 m: 8 } score: HESSIAN freeze { step: 6 }' ;;
    one_shot) sparsity='algorithm: PATTERN pattern: "unstructured:0.8"'
              command+=(--set "initial_weights=$base/model.safetensors"
                        --set 'one_shot={ method: "sparsegpt" samples: 64 rounds: 2 round_steps: 4 }') ;;
    finetune) command=(finetune --from "$base" "${mlp[@]}" --set finetune.dense_share=0.2
                       --set finetune.search_share=0.4 --set finetune.interval=2) ;;
    muon) command=("${gpt[@]}") shards=12 ;;
    muon_bf16) command=("${gpt[@]}" --set training.precision=BF16) shards=12 ;;
    *) echo "CASE is '$1', expected one of: ${all[*]}" >&2; exit 2 ;;
  esac
  if [ -n "$sparsity" ]; then command+=(--set "sparsity={ enabled: true $sparsity }"); fi
  command+=(--set "training.shards=$shards" --set "training.accumulate_steps=$shards" --set training.steps=12
            --set evaluation.every_steps=5 --set checkpoint.every_steps=5 --set logging.every_steps=2)
}

work=$(mktemp -d)
log=$work/log
base=$work/base
reference=$work/reference
run=$work/run
mlp=(--config configs/sparse_mlp.pbtxt --set training.batch_size=8 --set data.glyphs.train_size=2000
     --set data.glyphs.eval_size=1000)
gpt=(--config configs/gpt_tiny.pbtxt --sparse --set training.batch_size=1 --set evaluation.max_batches=3)

tcp=
cases=("${all[@]}")
if [ "${1:-}" = --tcp ]; then
  shift
  tcp=1
  cases=(sparse obs muon)
fi
if [ $# -gt 0 ]; then cases=("$@"); fi
for name in "${cases[@]}"; do choose "$name"; done
find_trainer
find_launcher
if [ -n "$tcp" ]; then
  [ "$(id -u)" -eq 0 ] || fail "--tcp: makes network namespaces, which takes root"
  command -v ip >/dev/null || fail "--tcp: ip: not found; it is in Debian's package iproute2"
  [ -c /dev/net/tun ] || fail "--tcp: /dev/net/tun: not found, so no network device can be made"
fi

hosts=("ranks-$$-a" "ranks-$$-b")
link=
unlink_hosts() {
  if [ -n "$link" ]; then
    kill "$link" 2>/dev/null || true
    wait "$link" 2>/dev/null || true
    link=
  fi
  local host
  for host in "${hosts[@]}"; do ip netns del "$host" 2>/dev/null || true; done
}
clean_up() {
  if [ -n "$tcp" ]; then unlink_hosts; fi
  rm -rf "$work"
}
trap clean_up EXIT

# Joins the hosts by a device `link` in each.
link_hosts() {
  local i host
  for host in "${hosts[@]}"; do ip netns add "$host"; done
  if [ "$1" = veth ]; then
    ip -n "${hosts[0]}" link add name link type veth peer name link netns "${hosts[1]}"
  else
    scripts/slow_link.py "${hosts[@]}" &
    link=$!
    until ip -n "${hosts[1]}" link show dev link >/dev/null 2>&1; do
      kill -0 "$link" 2>/dev/null || fail "--tcp: the slow link failed"
      sleep 0.1
    done
  fi
  for i in 0 1; do
    ip -n "${hosts[$i]}" address add "10.0.0.$((i + 1))/24" dev link
    ip -n "${hosts[$i]}" link set dev link up
    ip -n "${hosts[$i]}" link set dev lo up
  done
}

# Makes a program like ssh: AGENT HOST COMMAND, where the command is for a shell.
make_agent() {
  cat >"$work/agent" <<'AGENT'
#!/bin/sh
host=$1
shift
exec ip netns exec "$host" unshare --uts sh -c 'hostname "$0" && exec sh -c "$1"' "$host" "$*"
AGENT
  chmod +x "$work/agent"
}

# Trains a case and leaves the run in the folder $1; also evaluates the reference, for some. What follows are the number
# of threads, and what launches ranks.
make() {
  local folder=$1 threads=$2
  shift 2
  rm -rf "$folder"
  status=0
  timeout 300 "$@" "$trainer" "${command[@]}" --threads "$threads" --out "$folder" >"$log" 2>&1 || status=$?
  if [[ $status -eq 0 && " ${evaluated[*]} " == *" $name "* ]]; then
    timeout 300 "$@" "$trainer" evaluate --run "$reference" --threads "$threads" --json >"$folder/evaluation.json" \
      2>"$log" || status=$?
  fi
}

failures=0
# Sets $verdict on what $run has become beside $reference.
judge() {
  verdict=$(differences "$reference" "$run" 2>/dev/null | paste -sd ' ')
  if [ "$status" -ne 0 ]; then
    verdict="ended with $status"
    sed 's/^/    /' "$log"
  fi
  [ -z "$verdict" ] || failures=$((failures + 1))
  verdict=${verdict:-equal}
}

on_one_machine() {
  local name ranks threads
  printf '%-12s %5s %7s  %s\n' case ranks threads 'beside one process'
  for name in "${cases[@]}"; do
    choose "$name"
    make "$reference" 1
    [ "$status" -eq 0 ] || fail "$name: one process ended with $status"
    for ranks in 2 3 4 6 8; do
      [ $((shards % ranks)) -eq 0 ] || continue
      for threads in 1 2; do
        make "$run" "$threads" "${launch[@]}" -n "$ranks"
        judge
        printf '%-12s %5s %7s  %s\n' "$name" "$ranks" "$threads" "$verdict"
      done
    done
  done
}

# How many bytes have left both hosts.
bytes_sent() {
  local host sum=0
  for host in "${hosts[@]}"; do
    sum=$((sum + $(ip netns exec "$host" cat /sys/class/net/link/statistics/tx_bytes)))
  done
  echo "$sum"
}

# The seconds of a step, and the megabytes that left both hosts since $1.
costs() {
  local state=$run/checkpoints/last/trainer.json seconds steps
  seconds=$(sed -n 's/.*"training_seconds":\([^,}]*\).*/\1/p' "$state")
  steps=$(sed -n 's/^{"step":\([0-9]*\).*/\1/p' "$state")
  awk -v seconds="$seconds" -v steps="$steps" -v bytes=$(($(bytes_sent) - $1)) \
    'BEGIN { printf "%8.3f %8.2f", seconds / steps, bytes / steps / 1e6 }'
}

on_two_machines() {
  local name way ranks before
  make_agent
  launch=(ip netns exec "${hosts[0]}" unshare --uts sh -c 'hostname "$0" && exec "$@"' "${hosts[0]}"
          "${launch[@]}" --mca plm_rsh_agent "$work/agent" --mca oob_tcp_if_include link
          --mca btl tcp,self --mca btl_tcp_if_include link)
  printf '%-12s %5s  %-5s %8s %8s  %s\n' case ranks link s/step MB/step 'beside one process'
  for name in "${cases[@]}"; do
    choose "$name"
    make "$reference" 1
    [ "$status" -eq 0 ] || fail "$name: one process ended with $status"
    for way in veth slow; do
      link_hosts "$way"
      for ranks in 2 4; do
        before=$(bytes_sent)
        make "$run" 1 "${launch[@]}" --host "${hosts[0]}:$((ranks / 2)),${hosts[1]}:$((ranks / 2))" -n "$ranks"
        judge
        printf '%-12s %5s  %-5s %17s  %s\n' "$name" "$ranks" "$way" "$(costs "$before")" "$verdict"
      done
      unlink_hosts
    done
  done
}

# What one_shot and finetune begin with.
"$trainer" "${mlp[@]}" --dense --set training.steps=20 --out "$base" >"$log" 2>&1 || fail "the dense run failed"
if [ -n "$tcp" ]; then on_two_machines; else on_one_machine; fi
[ "$failures" -eq 0 ] || fail "$failures of them differ"
