#!/usr/bin/env bash
# Installs what is missing, builds the release preset and trains configs/sparse_mlp.pbtxt into runs/sparse_mlp.
# Arguments go to the trainer; without any, an earlier runs/sparse_mlp is replaced.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh
cmake --preset release >/dev/null
cmake --build --preset release --target trainer
# Run again without arguments, it starts anew in the same folder.
if [ "$#" -eq 0 ] && [ -e runs/sparse_mlp/config.pbtxt ]; then set -- --overwrite; fi
cat <<'NOTE'
At this width (128) 2:4 is no faster than dense training. A layer where it is, both in turn:
  cmake --build --preset release --target bench_mlp
  build/release/bin/bench_mlp --in 768 --hidden 3072 --tokens 2048

NOTE
exec build/release/bin/trainer --config configs/sparse_mlp.pbtxt "$@"
