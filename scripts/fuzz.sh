#!/usr/bin/env bash
# Fuzzes every parser of outside files for SECONDS_EACH (default 60) seconds: scripts/fuzz.sh [SECONDS_EACH]
# Needs clang and its runtime (scripts/install_dependencies.sh --clang). The fuzzers start from the valid files in
# fuzz/corpus/ and elsewhere in the tree. Inputs that they find are kept in build/fuzz/corpus/.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
names=()
for source in fuzz/*_fuzz.cc; do names+=("$(basename "$source" .cc)"); done
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${names[@]}"
for name in "${names[@]}"; do
  corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus"
  seeds=("fuzz/corpus/$name")
  case $name in
    safetensors_fuzz | packed_tensors_fuzz) seeds+=(tests/fixtures) ;;
    config_fuzz) seeds+=(configs) ;;
    sweep_fuzz) seeds+=(configs/experiments) ;;
  esac
  for folder in "${seeds[@]}"; do
    [ -n "$(ls "$folder")" ] || { echo "no seeds for $name in $folder" >&2; exit 1; }
  done
  echo "== $name"
  "build/fuzz/bin/$name" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix=build/fuzz/ "$corpus" "${seeds[@]}" 2>&1 |
    grep -E 'stat::number_of_executed_units|ERROR|SUMMARY|Test unit written' || { echo "$name failed" >&2; exit 1; }
done
