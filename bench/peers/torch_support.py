"""Shared by the PyTorch benchmarks: PyTorch at its best settings, rounds that take turns, figures for JSON lines."""
import argparse
import ctypes
import os
import pathlib
import re
import sys
import time

MIN_SECONDS = 0.05  # The least time that one variant takes of a round.


def positive(text):
    """A positive integer, as a type for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def import_torch(threads):
    """PyTorch with this many threads, whichever library it multiplies matrices with."""
    # torch.set_num_threads has no effect on an OpenBLAS with threads of its own (Debian's).
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(threads)
    # By default OpenMP's threads spin between parallel regions, on the processors that OpenBLAS's threads need.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import torch
    except ImportError:
        script = pathlib.Path(sys.argv[0]).name
        sys.exit(f"{script}: PyTorch is not installed for this Python (Debian 12: python3-torch)")
    torch.set_num_threads(threads)
    return torch


def keep_freed_memory():
    """Makes large tensors come from the heap, which keeps freed memory. By default glibc maps and clears each one anew,
    which costs element-wise operations as much time as their work. PyTorch's tuning guide reaches the same with other
    mallocs.
    """
    m_trim_threshold, m_mmap_max = -1, -4  # malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's.
    if mallopt:
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, -1)


def instruction_set(torch):
    """The instruction set of PyTorch's own kernels, by PyTorch's name: "avx2", "avx512", "default"."""
    found = re.search(r"CPU capability usage: (\w+)", torch.__config__.show())
    return found.group(1).lower() if found else None


def seconds_each(run, repetitions):
    start = time.perf_counter()
    for _ in range(repetitions):
        run()
    return (time.perf_counter() - start) / repetitions


def fastest_seconds(run):
    run()
    return min(seconds_each(run, 1) for _ in range(3))


def time_in_turn(variants, rounds):
    """Maps each name to the milliseconds of one run, with an entry for each round."""
    repetitions = {}
    for name, run in variants.items():
        run()
        repetitions[name] = max(1, round(MIN_SECONDS / seconds_each(run, 1)))
    milliseconds = {name: [] for name in variants}
    for index in range(rounds):
        print(f"round {index + 1} of {rounds}", file=sys.stderr)
        for name, run in variants.items():
            milliseconds[name].append(1e3 * seconds_each(run, repetitions[name]))
    return milliseconds


def five_digits(value):
    return float(f"{value:.5g}")
