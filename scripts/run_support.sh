# Sourced by the scripts that train runs and compare them. Those say in `log` which file holds the output of a failure.

# Says so in one line, and then what the program said last.
fail() {
  echo "$*" >&2
  if [ -n "${log:-}" ] && [ -e "$log" ]; then tail -5 "$log" >&2; fi
  exit 1
}

# Sets $trainer: the program that the environment variable TRAINER names, or else that of the release preset, which it
# builds.
find_trainer() {
  trainer=${TRAINER:-}
  if [ -z "$trainer" ]; then
    cmake --preset release >/dev/null
    cmake --build --preset release --target trainer >/dev/null
    trainer=build/release/bin/trainer
  fi
  [ -x "$trainer" ] || fail "$trainer: expected the trainer (set by the environment variable TRAINER)"
}

# Sets $launch, so that "${launch[@]}" -n 4 COMMAND runs four ranks. These may outnumber processors, and their threads may
# run on any of these.
find_launcher() {
  command -v mpirun >/dev/null || fail "mpirun: not found; scripts/install_dependencies.sh --mpi installs Open MPI"
  launch=(mpirun --oversubscribe --bind-to none)
  # In a container it may well be root who tests.
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
}

# The metrics of a run's folder without speeds and times.
metrics() { sed -E 's/"(samples_per_s|tokens_per_s|mfu|mfu_rough|training_seconds)":[^,}]*//g' "$1/metrics.jsonl"; }

# Names what differs between the folders of two finished runs: weights, masks, the optimizer's state, what evaluate
# printed, if that is there, and metrics without speeds and times.
differences() {
  local file
  for file in model.safetensors checkpoints/last/{model,optimizer}.safetensors {adapter,base}.safetensors \
              evaluation.json; do
    if [ -e "$1/$file" ]; then cmp -s "$1/$file" "$2/$file" || echo "$file"; fi
  done
  cmp -s <(metrics "$1") <(metrics "$2") || echo metrics.jsonl
}
