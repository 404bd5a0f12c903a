#!/usr/bin/env bash
# Builds the release preset and measures the tables of products, MLP steps and masks in docs/performance.md, in fp32 and
# bf16: first with all that the processor can do, then with AVX2 forced for twofour and for all peers. Writes JSON lines
# to FILE.
# scripts/bench.sh FILE [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$#" -ge 1 ] || { echo "usage: scripts/bench.sh FILE [ROUNDS]" >&2; exit 2; }
file=$1
rounds=${2:-9}
cmake --preset release >/dev/null
cmake --build --preset release --target bench_mask bench_spmm bench_mlp >/dev/null
bin=build/release/bin
: >"$file"

measure() {
  echo "== $*" >&2
  "$@" --rounds "$rounds" | tee -a "$file"
}

all_rows() {
  measure "$bin/bench_mask"
  for threads in 1 2; do
    for shape in "3072 768" "768 3072" "4096 1024"; do
      read -r out in <<<"$shape"
      for precision in fp32 bf16; do
        measure "$bin/bench_spmm" --out "$out" --in "$in" --tokens 2048 --threads "$threads" --precision "$precision"
      done
    done
    for density in 0.5 0.1; do
      for precision in fp32 bf16; do
        measure "$bin/bench_mlp" --in 768 --hidden 3072 --tokens 2048 --threads "$threads" \
          --activation-density "$density" --precision "$precision"
      done
    done
  done
}

all_rows
export TWOFOUR_MAX_ISA=avx2 ONEDNN_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell
all_rows
