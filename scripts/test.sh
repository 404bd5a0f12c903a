#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests, in the presets that are named as arguments (dev, release,
# asan-ubsan, tsan). The default is release; CI runs asan-ubsan as well.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh
presets=("$@")
[ "${#presets[@]}" -eq 0 ] && presets=(release)
for preset in "${presets[@]}"; do
  echo "== $preset"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset"
  ctest --preset "$preset" --parallel "$(nproc)"
done
