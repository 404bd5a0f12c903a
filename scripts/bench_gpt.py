#!/usr/bin/env python3
"""Training steps of one Gpt in PyTorch, twofour dense and twofour sparse, side by side: JSON lines to FILE.

Each of the three is a process of its own, so that it has its best settings and its own peak memory. They take turns,
and each turn gives the median of a few steps. Ratios are taken within a round, and then their median. Needs PyTorch
(python3-torch, or --torch) and a build with benchmarks (cmake --build --preset release --target bench_gpt).
"""
import argparse
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
        return {"tokens_per_s": line["tokens_per_s"], "peak_mib": line["peak_mib"]}
    (line,) = bench_programs.lines([str(BIN / "bench_gpt"), *flags, "--only", variant])
    return {"tokens_per_s": line[variant + "_tokens_per_s"], "peak_mib": line["peak_mib"]}


if __name__ == "__main__":
    bench_programs.run(lambda: bench_programs.compare("bench_gpt", SIZES, measure, parse_arguments()))
