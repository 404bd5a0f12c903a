#!/usr/bin/env bash
# Measures the MLP step against width, batch and threads, for the picture in docs/performance.md. Takes about ten
# minutes. Writes JSON lines to FILE, then draws the picture beside it. scripts/bench_sweep.sh FILE
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$#" -eq 1 ] || { echo "usage: scripts/bench_sweep.sh FILE" >&2; exit 2; }
file=$1
cmake --preset release >/dev/null
cmake --build --preset release --target bench_mlp >/dev/null
: >"$file"
processors=$(nproc)

# measure SWEEP WIDTH TOKENS THREADS ROUNDS: writes one line, marked with the sweep that it belongs to.
measure() {
  echo "== $1: width $2, $3 tokens, $4 threads" >&2
  build/release/bin/bench_mlp --in "$2" --hidden $((4 * $2)) --tokens "$3" --threads "$4" --rounds "$5" |
    sed "s/}\$/,\"sweep\":\"$1\"}/" | tee -a "$file"
}

for width in 64 128 256 512 768 1024 2048; do measure width "$width" 2048 "$processors" 3; done
measure width 4096 2048 "$processors" 1  # A step takes seconds: too long to be noisy.
for tokens in 1 8 32 128 512 2048 8192; do measure tokens 768 "$tokens" "$processors" 3; done
for ((threads = 1; threads < processors; threads *= 2)); do measure threads 768 2048 "$threads" 3; done
measure threads 768 2048 "$processors" 3

scripts/plot_performance.py "$file" "${file%.*}.svg"
