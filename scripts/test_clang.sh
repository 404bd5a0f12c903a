#!/usr/bin/env bash
# Builds everything but the benchmarks with clang, libraries as shared ones, tries them as users' projects do and in some of the tests, then
# fuzzes every parser for a few seconds: scripts/test_clang.sh [SECONDS_EACH]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh --clang
cmake --preset clang >/dev/null
cmake --build --preset clang
# What is not optimised is slow: all of the tests are test.sh's.
ctest --preset clang --parallel "$(nproc)" --tests-regex '^(install|layers|optim)/|^nn/part_[01]$'
scripts/fuzz.sh "${1:-5}"
