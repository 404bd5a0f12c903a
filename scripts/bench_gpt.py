#!/usr/bin/env python3
"""Training steps of one Gpt in PyTorch, twofour dense and twofour sparse, side by side: JSON lines to FILE.

Each of the three is a process of its own, so that it has its best settings and its own peak memory. They take turns,
and each turn gives the median of a few steps. Ratios are taken within a round, and then their median. Needs PyTorch
(python3-torch, or --torch) and a build with benchmarks (cmake --build --preset release --target bench_gpt).
"""
import argparse
import json
import statistics
import sys

import bench_programs
from bench_programs import BIN, PEERS

SIZES = ("width", "depth", "head_size", "sequence_length", "batch", "vocab", "threads")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="JSON lines; what it holds is replaced once there are new ones")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="steps timed in each turn")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--torch", default=sys.executable, metavar="PYTHON", help="a Python that has PyTorch")
    parser.add_argument("--compile", choices=("no", "yes", "fastest"), default="fastest", help="of PyTorch")
    for name, default in zip(SIZES, (768, 4, 64, 512, 4, 256, 2)):
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    return parser.parse_args()


def measure(variant, sizes, arguments):
    """Tokens per second and peak memory of one variant."""
    flags = [text for name, value in sizes.items() for text in ("--" + name.replace("_", "-"), str(value))]
    flags += ["--rounds", str(arguments.steps), "--precision", arguments.precision]
    if variant == "torch":
        script = str(PEERS / "torch_gpt.py")
        (line,) = bench_programs.lines([arguments.torch, script, *flags, "--compile", arguments.compile])
        return line["tokens_per_s"], line["peak_mib"]
    (line,) = bench_programs.lines([str(BIN / "bench_gpt"), *flags, "--only", variant])
    return line[variant + "_tokens_per_s"], line["peak_mib"]


def main():
    arguments = parse_arguments()
    bench_programs.require("bench_gpt")
    sizes = {name: getattr(arguments, name) for name in SIZES}
    variants = ["torch", "dense", "sparse"]
    rounds = []
    file = bench_programs.LinesFile(arguments.file)
    for index in range(arguments.rounds):
        turn = {}
        for variant in variants[index % 3:] + variants[:index % 3]:
            turn[variant] = measure(variant, sizes, arguments)
        rounds.append(turn)
        figures = {name: {"tokens_per_s": value[0], "peak_mib": value[1]} for name, value in turn.items()}
        file.write({"round": index + 1, "precision": arguments.precision, **sizes, **figures})

    def median(function):
        return float(f"{statistics.median(function(turn) for turn in rounds):.4g}")

    summary = {"rounds": arguments.rounds, "steps": arguments.steps, "precision": arguments.precision, **sizes}
    for variant in variants:
        summary[variant + "_tokens_per_s"] = median(lambda turn: turn[variant][0])
        summary[variant + "_peak_mib"] = median(lambda turn: turn[variant][1])
    for fast, slow in (("dense", "torch"), ("sparse", "torch"), ("sparse", "dense")):
        summary[f"{fast}_vs_{slow}"] = median(lambda turn: turn[fast][0] / turn[slow][0])
    file.write(summary)
    print(json.dumps(summary))


if __name__ == "__main__":
    bench_programs.run(main)
