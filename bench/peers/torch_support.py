"""Shared by the PyTorch benchmarks: PyTorch at its best settings, rounds that take turns, figures for JSON lines."""
import argparse
import ctypes
import importlib.util
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


def fail(message):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {message}")


def import_torch(threads):
    """PyTorch with this many threads, whichever library it multiplies matrices with."""
    # torch.set_num_threads has no effect on an OpenBLAS with threads of its own (Debian's).
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(threads)
    # By default OpenMP's threads spin between parallel regions, on the processors that OpenBLAS's threads need. PyPI's
    # packages, which bring an OpenMP of their own, multiply on OpenMP's threads, and are faster if these spin.
    spec = importlib.util.find_spec("torch")
    if spec is not None and not any((pathlib.Path(spec.origin).parent / "lib").glob("libgomp*")):
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import torch
    except ImportError:
        fail("PyTorch is not installed for this Python (Debian 12: python3-torch)")
    torch.set_num_threads(threads)
    return torch


def add_precision(parser):
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="bf16: under autocast")
    parser.add_argument(
        "--compile",
        choices=("no", "yes", "fastest"),
        default="fastest",
        help="torch.compile (needs a C++ compiler); fastest: whichever is faster, and no before PyTorch 2",
    )


def require_precision(torch, precision):
    """Ends the program if PyTorch's library has no bf16 products for the processor. PyTorch would then compute them
    element by element, which takes minutes a step.
    """
    if precision != "bf16":
        return
    fp32 = torch.randn(512, 512)
    bf16 = fp32.bfloat16()
    try:
        ratio = fastest_seconds(lambda: bf16 @ bf16) / fastest_seconds(lambda: fp32 @ fp32)
    except RuntimeError as error:
        fail(f"PyTorch cannot multiply in bf16 here: {error}")
    if ratio > 10:
        fail(f"bf16 is {ratio:.0f} times slower than fp32 at 512 x 512; this processor has no instructions for it")


def autocast(torch, precision):
    """The scope of a forward pass."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")


def as_activation(tensor, precision):
    """A tensor that requires no gradient, in the dtype that activations have."""
    return tensor.bfloat16() if precision == "bf16" else tensor


def choose_compiled(torch, choice, forward, make_step):
    """A step, and whether its forward pass is compiled. make_step(forward) makes a step of a forward pass."""
    eager = make_step(forward)
    if choice == "no" or not hasattr(torch, "compile"):
        if choice == "yes":
            fail(f"--compile: PyTorch {torch.__version__} has no torch.compile")
        return eager, False
    compiled = make_step(torch.compile(forward))
    if choice == "yes":
        return compiled, True
    try:
        compiled_seconds = fastest_seconds(compiled)
    except Exception as error:  # Whatever a compiler can lack.
        print(f"torch.compile fails: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return eager, False
    eager_seconds = fastest_seconds(eager)
    print(f"eager {1e3 * eager_seconds:.1f} ms, compiled {1e3 * compiled_seconds:.1f} ms", file=sys.stderr)
    return (compiled, True) if compiled_seconds < eager_seconds else (eager, False)


def describe(torch, precision, compiled):
    name = {"fp32": "fp32", "bf16": "bf16 autocast"}[precision]
    return f"PyTorch {torch.__version__} {name}{', compiled' if compiled else ''}"


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
