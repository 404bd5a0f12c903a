"""Runs programs of the release build and PyTorch peers, and reads the JSON lines that they print."""
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "release" / "bin"
PEERS = ROOT / "bench" / "peers"
BUILD = "cmake --preset release && cmake --build --preset bench"


class Failed(Exception):
    """A program did not start or did not succeed; says which, and what it said last."""


class LinesFile:
    """A file of JSON lines. A name that cannot be written to is an error at once, and what the file held stays until
    there is a first line."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.written = False

    def write(self, line):
        if not self.written:
            self.file.truncate(0)
        self.written = True
        print(json.dumps(line), file=self.file, flush=True)


def require(*names):
    """Ends this script if one of the build's programs is missing."""
    missing = [name for name in names if not (BIN / name).is_file()]
    if missing:
        sys.exit(f"error: no {', '.join(missing)} in {BIN}; build with: {BUILD}")


def lines(command, environment=None, **options):
    """What the command prints, a dictionary for each line. `environment` adds to this process's own variables; the
    options are those of subprocess.run."""
    added = environment or {}
    print("==", *(f"{key}={value}" for key, value in added.items()), *command, file=sys.stderr)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    try:
        done = subprocess.run(command, env={**os.environ, **added}, **pipes, **options)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        ended = f"exit status {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        raise Failed(f"{os.path.basename(str(command[0]))}: {ended}: {said[-1]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def take_turns(file, rounds, measure, about):
    """Measures PyTorch and twofour, dense and sparse, in turns. `measure` maps the name of a variant to its figures, a
    dictionary whose first entry is what ratios are taken of: a time in ms, or else a rate. The file gets a line for
    each round and, as the last one, medians, which are returned."""
    variants = ["torch", "dense", "sparse"]
    lines_file = LinesFile(file)
    turns = []
    for index in range(rounds):
        start = index % len(variants)
        turn = {variant: measure(variant) for variant in variants[start:] + variants[:start]}
        turns.append(turn)
        lines_file.write({"round": index + 1, **about, **turn})

    def median(values):
        return float(f"{statistics.median(values):.4g}")

    figures = list(turns[0]["torch"])
    summary = {"rounds": rounds, **about}
    for variant in variants:
        for figure in figures:
            summary[f"{variant}_{figure}"] = median(turn[variant][figure] for turn in turns)
    figure = figures[0]
    for fast, slow in (("dense", "torch"), ("sparse", "torch"), ("sparse", "dense")):
        above, below = (slow, fast) if figure == "ms" else (fast, slow)
        summary[f"{fast}_vs_{slow}"] = median(turn[above][figure] / turn[below][figure] for turn in turns)
    lines_file.write(summary)
    return summary


def compare(program, names, measure, arguments):
    """Measures three variants in turns, writes the lines to arguments.file, and prints the last one. `names` are the
    arguments that are sizes; measure(variant, sizes, arguments) returns figures as take_turns wants them."""
    require(program)
    sizes = {name: getattr(arguments, name) for name in names}
    about = {"steps": arguments.steps, "precision": arguments.precision, **sizes}
    summary = take_turns(arguments.file, arguments.rounds, lambda variant: measure(variant, sizes, arguments), about)
    print(json.dumps(summary))


def run(main):
    """Runs a script's main(); what went wrong becomes one line."""
    try:
        main()
    except (Failed, OSError) as failure:
        sys.exit(f"error: {failure}")
