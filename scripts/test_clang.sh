#!/usr/bin/env bash
# Builds everything but the benchmarks with clang and as shared libraries. Tries the libraries in users' projects and in
# some of the tests, then fuzzes every parser for a few seconds: scripts/test_clang.sh [SECONDS_EACH]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh --clang
cmake --preset clang >/dev/null
cmake --build --preset clang
# Only some of the tests, because this build is not optimised and so is slow. scripts/test.sh runs all of them.
ctest --preset clang --parallel "$(nproc)" --tests-regex '^(install|layers|optim|comm)/|^nn/part_[01]$'
cmake --build --preset clang --target reference  # Doxygen finds no fault with the public headers.
scripts/fuzz.sh "${1:-5}"
