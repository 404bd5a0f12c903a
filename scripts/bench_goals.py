#!/usr/bin/env python3
"""Measures what bf16 and AVX-512 have to reach, and prints it as a table. JSON lines of all runs go to FILE.

Each row is a ratio of speeds, as the median over rounds in which both sides took turns, or a share. Rows that need an
instruction set, PyTorch or perf are left out where it is missing, with the reason. Needs a release build of the
benchmarks (cmake --build --preset bench). Programs of one thread are bound to the last processor, those of more threads
to the last ones. Where a program fails, the table says so, and the other rows are measured. For figures worth keeping,
leave the machine alone meanwhile.

    scripts/bench_goals.py FILE --torch VENV/bin/python
"""
import argparse
import dataclasses
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import typing

import bench_programs
from bench_programs import BIN, PEERS

SHAPES = ((3072, 768), (768, 3072), (4096, 1024))  # Of a weight: (out, in).
AVX2 = {"TWOFOUR_MAX_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
# Functions of products, with the packing of a product's own operands, and of attention. The search for masks, packing of
# 2:4 weights, and lists of non-zeros are none of them.
PRODUCTS_AND_ATTENTION = {
    *("Tile RunTile MultiplyPacked RunPanels RunBlocks RunOneBlock PackA PackB PackTurned TransposeInto CopyAsF32").split(),
    *("RunDots DotsOfRows RunRow AddRows Gemm GemmBlock").split(),
    *("Hidden Product HiddenGrad SampledHiddenGrad Multiply PackPanel UnpackSquare SampleRow InnerProducts").split(),
    *("ListProduct SumLists PackColumns PackTransposedColumns WriteWeightGrad WriteRounded WriteSums").split(),
    *("WriteTransposedSums CausalAttention CausalAttentionGrad AttendFrom RunGradUnit ProbabilitiesAndGrads").split(),
    *("MeanGrads AddGrads OnlineSoftmaxLoop SoftmaxFromLogSumLoop").split(),
}
# What runs before and after the steps.
SETUP = re.compile(r"MultiplyAdd|Philox|FillUniform|FillNormal|RandomSequence|sincos|__cos|__logf?_|__ieee754_log")


def function_name(symbol):
    """The function of a symbol of perf's, without namespaces, arguments and what is inside it: RunPanels, for example."""
    symbol = symbol.replace("(anonymous namespace)::", "")
    symbol = re.sub(r"^\[.\] (std::_Function_handler<void \(long, long\), )?", "", symbol)
    return re.split(r"[(<]", symbol, maxsplit=1)[0].split("::")[-1].split(" ")[-1]


class Missing(Exception):
    """Why a row cannot be measured here."""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="JSON lines of all runs; what it holds is replaced once there are new ones")
    parser.add_argument("--rounds", type=int, default=9, help="rounds within a program")
    parser.add_argument("--turns", type=int, default=5, help="turns of two programs, for PyTorch")
    parser.add_argument("--steps", type=int, default=3, help="steps timed in each turn")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--torch", default=sys.executable, metavar="PYTHON", help="a Python with PyTorch 2")
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS], help="these rows")
    return parser.parse_args()


class Runs:
    """Runs programs, one at a time, and keeps the lines they print."""

    def __init__(self, arguments, file):
        self.arguments = arguments
        self.file = file
        self.known = {}  # Lines of commands that several rows need.
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
            self.flags = set(re.search(r"flags\s*:(.*)", cpuinfo.read()).group(1).split())
        try:
            bench_programs.lines([arguments.torch, "-c", "import torch"])
            self.no_torch = None
        except bench_programs.Failed as reason:
            self.no_torch = reason

    def need(self, *flags):
        missing = [flag for flag in flags if flag not in self.flags]
        if missing:
            raise Missing(f"the processor has no {', '.join(missing)}")

    def need_torch(self):
        if self.no_torch:
            raise Missing(f"no PyTorch: {self.no_torch}")

    def lines(self, command, threads, environment=None):
        processors = sorted(os.sched_getaffinity(0))[-threads:]
        if len(processors) < threads:
            raise Missing(f"processors: {len(processors)}")
        lines = bench_programs.lines(command, environment, preexec_fn=lambda: os.sched_setaffinity(0, processors))
        for line in lines:
            self.file.write(line)
        return lines

    def bench(self, program, threads, *flags, environment=None, rounds=None):
        command = [str(BIN / program), "--threads", str(threads), "--rounds", str(rounds or self.arguments.rounds)]
        return self.lines(command + list(flags), threads, environment)

    def spmm(self, precision, threads, environment=None):
        """Lines of all products of all shapes."""
        key = (precision, threads, *(environment or {}))
        if key not in self.known:
            flags = [("--out", str(out), "--in", str(columns), "--precision", precision) for out, columns in SHAPES]
            parts = [self.bench("bench_spmm", threads, *sizes, environment=environment) for sizes in flags]
            self.known[key] = [line for part in parts for line in part]
        return self.known[key]

    def mlp(self, precision, threads, density, *flags, environment=None, rounds=None):
        flags = ("--precision", precision, "--activation-density", str(density), *flags)
        return self.bench("bench_mlp", threads, *flags, environment=environment, rounds=rounds)[0]

    def torch(self, script, threads, *flags):
        command = [self.arguments.torch, str(PEERS / script), "--threads", str(threads)]
        return self.lines(command + ["--rounds", str(self.arguments.steps), *flags], threads)[0]

    def in_turn(self, first, second):
        """The median over turns of first() / second()."""
        ratios = []
        for turn in range(self.arguments.turns):
            if turn % 2 == 0:
                above = first()
                ratios.append(above / second())
            else:
                below = second()
                ratios.append(first() / below)
        return statistics.median(ratios)


# Each function measures one row for a number of threads, and returns its figures.


def bf16_products(runs, threads):
    runs.need("avx512_bf16")
    return [line["speedup"] for line in runs.spmm("bf16", threads) if line["op"] != "weight_grad"]


def bf16_mlp(density):
    def measure(runs, threads):
        runs.need("avx512_bf16")
        line = runs.mlp("bf16", threads, density)
        return [min(line["speedup_vs_dense_library"], line["speedup_vs_twofour_dense"])]

    return measure


def mlp_against_torch(variant, density, *flags):
    def measure(runs, threads):
        runs.need(*flags)
        runs.need_torch()
        shared = ("--precision", "bf16", "--activation-density", str(density))
        return [
            runs.in_turn(
                lambda: runs.torch("torch_mlp.py", threads, *shared)["dense_library_ms"],
                lambda: runs.mlp("bf16", threads, density, "--only", variant, rounds=runs.arguments.steps)[
                    f"twofour_{variant}_ms"
                ],
            )
        ]

    return measure


def gpt(runs, threads, precision, variant):
    flags = ("--precision", precision, "--only", variant)
    return runs.bench("bench_gpt", threads, *flags, rounds=runs.arguments.steps)[0]


def gpt_against_torch(variant):
    def measure(runs, threads):
        runs.need_torch()
        return [
            runs.in_turn(
                lambda: gpt(runs, threads, "bf16", variant)[f"{variant}_tokens_per_s"],
                lambda: runs.torch("torch_gpt.py", threads, "--precision", "bf16")["tokens_per_s"],
            )
        ]

    return measure


def fp32_products(runs, threads):
    runs.need("avx512f")
    return [line["speedup"] for line in runs.spmm("fp32", threads) if line["op"] != "weight_grad"]


def fp32_dense(environment, flag):
    def measure(runs, threads):
        runs.need(flag)
        return [line["twofour_dense_speedup"] for line in runs.spmm("fp32", threads, environment)]

    return measure


def fp32_mlp(environment, flag):
    def measure(runs, threads):
        runs.need(flag)
        return [runs.mlp("fp32", threads, 0.1, environment=environment)["speedup_vs_dense_library"]]

    return measure


def gpt_memory(runs, threads):
    return [
        gpt(runs, threads, "bf16", variant)["peak_mib"] / gpt(runs, threads, "fp32", variant)["peak_mib"]
        for variant in ("dense", "sparse")
    ]


def gpt_outside(runs, threads):
    """The share of a bf16 step's samples that are neither in products nor in attention, dense and 2:4."""
    if shutil.which("perf") is None:
        raise Missing("perf is not installed")
    return [outside_share(runs, threads, variant) for variant in ("dense", "sparse")]


def outside_share(runs, threads, variant):
    flags = ["--threads", str(threads), "--rounds", str(runs.arguments.rounds), "--only", variant]
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        record = ["perf", "record", "-q", "-F", "499", "-o", data]
        runs.lines(record + ["--", str(BIN / "bench_gpt"), "--precision", "bf16", *flags], threads)
        report = ["perf", "report", "-i", data, "--no-children", "--stdio", "-F", "overhead,symbol"]
        text = subprocess.run(report, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    inside = outside = 0.0
    for percent, symbol in re.findall(r"^\s+([\d.]+)%\s+(\[[.k]\] .*?)\s*$", text, re.M):
        if SETUP.search(symbol):
            continue
        if function_name(symbol) in PRODUCTS_AND_ATTENTION:
            inside += float(percent)
            continue
        outside += float(percent)
        if float(percent) >= 0.5:
            print(f"outside, {variant}: {percent} % {symbol[:120]}", file=sys.stderr)
    return outside / (inside + outside)


@dataclasses.dataclass
class Row:
    name: str
    what: str
    processor: str
    goal: float
    aim: float
    measure: typing.Callable  # (runs, threads) -> figures, or raises Missing.
    most: bool = False  # Whether figures have to be at most the goal.
    share: bool = False  # Whether figures are shares and not ratios.

    def figure(self, value):
        return f"{100 * value:.0f} %" if self.share else f"{value:.2f}"

    def cell(self, runs, threads):
        try:
            figures = self.measure(runs, threads)
        except Missing as reason:
            return f"not measured: {reason}"
        except bench_programs.Failed as reason:
            return f"failed: {reason}"
        low, high = min(figures), max(figures)
        text = self.figure(low) if len(figures) == 1 else f"{self.figure(low)} to {self.figure(high)}"
        reached = high <= self.goal if self.most else low >= self.goal
        return f"**{text}**" if reached else text


BF16, AMX, AVX512, AVX2_TOO = "AVX512_BF16", "AMX", "AVX-512", "AVX2"
ROWS = (
    Row("bf16_products", "bf16, 2:4 forward and input gradient against the fastest library", BF16, 1.4, 1.65,
        bf16_products),
    Row("bf16_mlp_0.5", "bf16, MLP step at density 0.5 against the fastest dense step", BF16, 1.3, 1.5, bf16_mlp(0.5)),
    Row("bf16_mlp_0.1", "bf16, MLP step at density 0.1 against the fastest dense step", BF16, 1.8, 2.5, bf16_mlp(0.1)),
    Row("bf16_mlp_torch_0.5", "bf16, MLP step at density 0.5 against PyTorch", BF16, 1.6, 2.0,
        mlp_against_torch("sparse", 0.5, "avx512_bf16")),
    Row("bf16_mlp_torch_0.1", "bf16, MLP step at density 0.1 against PyTorch", BF16, 2.4, 3.5,
        mlp_against_torch("sparse", 0.1, "avx512_bf16")),
    Row("bf16_gpt_torch_dense", "bf16, dense GPT step against PyTorch", "any", 1.15, 1.4, gpt_against_torch("dense")),
    Row("bf16_gpt_torch_sparse", "bf16, 2:4 GPT step against PyTorch", "any", 1.4, 1.8, gpt_against_torch("sparse")),
    Row("amx_mlp_torch", "bf16, dense MLP step against PyTorch", AMX, 1.2, 1.5,
        mlp_against_torch("dense", 0.5, "amx_bf16")),
    Row("fp32_products", "fp32, 2:4 forward and input gradient against the fastest library", AVX512, 1.5, 1.75,
        fp32_products),
    Row("fp32_dense_avx512", "fp32, dense products against the fastest library", AVX512, 0.97, 1.0,
        fp32_dense({}, "avx512f")),
    Row("fp32_dense_avx2", "fp32, dense products against the fastest library", AVX2_TOO, 0.97, 1.0, fp32_dense(AVX2, "avx2")),
    Row("fp32_mlp_avx512", "fp32, MLP step at density 0.1 against the fastest libraries", AVX512, 2.6, 3.5,
        fp32_mlp({}, "avx512f")),
    Row("fp32_mlp_avx2", "fp32, MLP step at density 0.1 against the fastest libraries", AVX2_TOO, 2.6, 3.5, fp32_mlp(AVX2, "avx2")),
    Row("gpt_memory", "GPT, peak memory in bf16 as a share of fp32, dense and 2:4", "any", 0.65, 0.55, gpt_memory,
        most=True, share=True),
    Row("gpt_outside", "bf16 GPT step, share outside products and attention, dense and 2:4", "any", 0.2, 0.12,
        gpt_outside, most=True, share=True),
)  # fmt: skip


def main():
    arguments = parse_arguments()
    bench_programs.require("bench_spmm", "bench_mlp", "bench_gpt")
    rows = [row for row in ROWS if not arguments.only or row.name in arguments.only]
    if min(arguments.threads) < 1:
        raise bench_programs.Failed(f"--threads {min(arguments.threads)}, expected at least 1")
    runs = Runs(arguments, bench_programs.LinesFile(arguments.file))
    heads = [f"{threads} thread{'s' if threads > 1 else ''}" for threads in arguments.threads]
    print(f"| what | processor | goal | aim | {' | '.join(heads)} |")
    print("| --- | --- | --- | --- |" + " --- |" * len(heads), flush=True)
    for row in rows:
        bound = ("at most " if row.most else "") + row.figure(row.goal)
        cells = [row.cell(runs, threads) for threads in arguments.threads]
        print(f"| {row.what} | {row.processor} | {bound} | {row.figure(row.aim)} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    bench_programs.run(main)
