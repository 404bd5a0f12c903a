# What the scripts that compare runs have in common. To be read by bash.

# The program to test: that of TRAINER, or else the release build, brought up to date.
find_trainer() {
  trainer=${TRAINER:-build/release/bin/trainer}
  if [ -z "${TRAINER:-}" ]; then
    cmake --preset release >/dev/null
    cmake --build --preset release --target trainer >/dev/null
  fi
  [ -x "$trainer" ] || { echo "$trainer: is no program" >&2; exit 2; }
}

# Sets $mpirun to a command that starts ranks here: `"${mpirun[@]}" -n N PROGRAM...`
find_mpirun() {
  local program
  program=$(command -v mpirun.openmpi || command -v mpirun) ||
    { echo "no mpirun: scripts/install_dependencies.sh --mpi installs it" >&2; exit 2; }
  mpirun=("$program" --oversubscribe --bind-to none)
  if [ "$(id -u)" -eq 0 ]; then mpirun+=(--allow-run-as-root); fi
}

# The metrics of a run without speeds and times.
metrics() { sed -E 's/"(samples_per_s|tokens_per_s|mfu|mfu_rough|training_seconds)":[^,}]*//g' "$1/metrics.jsonl"; }

# Prints the files of two finished runs, or evaluations, that differ.
differences() {  # FOLDER FOLDER
  local file
  for file in checkpoints/last/{model,optimizer}.safetensors {model,base,adapter}.safetensors evaluation.json; do
    if [ -e "$1/$file" ] || [ -e "$2/$file" ]; then cmp -s "$1/$file" "$2/$file" || echo "$file"; fi
  done
  cmp -s <(metrics "$1" 2>/dev/null) <(metrics "$2" 2>/dev/null) || echo metrics.jsonl
}
