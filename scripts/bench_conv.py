#!/usr/bin/env python3
"""Training steps of one convolutional net in PyTorch, twofour dense and twofour sparse, side by side: JSON lines to
FILE.

Each of the three is a process of its own, and they take turns. Ratios are taken within a round, and then their median.
Needs PyTorch (python3-torch, or --torch) and a build with benchmarks (cmake --build --preset release --target
bench_conv).
"""
import argparse
import sys

import bench_programs
from bench_programs import BIN, PEERS

SIZES = {"image": 28, "channels": 1, "convolutions": "32,64,64", "batch": 128, "threads": 2}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("file", help="JSON lines; what it holds is replaced once there are new ones")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5, help="steps timed in each turn")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--torch", default=sys.executable, metavar="PYTHON", help="a Python that has PyTorch")
    for name, default in SIZES.items():
        parser.add_argument("--" + name, type=type(default), default=default)
    return parser.parse_args()


def measure(variant, sizes, arguments):
    """Milliseconds of a step of one variant."""
    flags = [text for name, value in sizes.items() for text in ("--" + name, str(value))]
    flags += ["--rounds", str(arguments.steps), "--precision", arguments.precision]
    if variant == "torch":
        (line,) = bench_programs.lines([arguments.torch, str(PEERS / "torch_conv.py"), *flags])
        return {"ms": line["ms"]}
    (line,) = bench_programs.lines([str(BIN / "bench_conv"), *flags, "--only", variant])
    return {"ms": line[variant + "_ms"]}


if __name__ == "__main__":
    bench_programs.run(lambda: bench_programs.compare("bench_conv", SIZES, measure, parse_arguments()))
