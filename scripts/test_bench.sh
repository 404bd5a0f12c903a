#!/usr/bin/env bash
# Builds the benchmarks in the release preset, runs their tests, and runs each program for a moment.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh
cmake --preset release >/dev/null
cmake --build --preset bench
ctest --preset bench --parallel "$(nproc)"
