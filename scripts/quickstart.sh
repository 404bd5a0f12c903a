#!/usr/bin/env bash
# Installs what is missing, builds the release preset and trains configs/sparse_mlp.pbtxt into runs/sparse_mlp.
# Arguments go to the trainer. Without arguments, an earlier runs/sparse_mlp is replaced.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh
cmake --preset release >/dev/null
cmake --build --preset release --target trainer
# If the script runs again without arguments, it starts anew in the same folder.
if [ "$#" -eq 0 ] && [ -e runs/sparse_mlp/config.pbtxt ]; then set -- --overwrite; fi
build/release/bin/trainer --config configs/sparse_mlp.pbtxt "$@"
cat <<'EOF'
This example is small: at width 128 the sparse run is no faster than a dense one. What 2:4 gains at width 768 is shown by
  cmake --build --preset release --target bench_mlp
  build/release/bin/bench_mlp --in 768 --hidden 3072 --tokens 2048 --threads 1 --activation-density 0.1
EOF
