#!/usr/bin/env python3
"""The training step of bench_mlp in PyTorch, in fp32 and under bf16 autocast: one JSON line each.

Dense, with both layers' biases; the input asks for a gradient, too; no optimizer. bf16 computes with fewer bits and is
no equal of fp32: it is here because a processor with AMX runs it many times faster, and nobody should be misled.
"""
import argparse
import json
import statistics
import sys
import time

MIN_SECONDS = 0.05  # What one variant takes of a round, at least.


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--in", dest="in_features", type=int, default=768)
    parser.add_argument("--hidden", type=int, default=3072)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--activation-density", type=float)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    for name in ("in_features", "hidden", "tokens", "threads", "rounds"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name.split('_')[0]}: {getattr(arguments, name)} is not positive")
    if arguments.activation_density is not None and not 0 <= arguments.activation_density <= 1:
        parser.error(f"--activation-density: {arguments.activation_density} is not in [0, 1]")
    return arguments


def seconds_each(run, repetitions):
    start = time.perf_counter()
    for _ in range(repetitions):
        run()
    return (time.perf_counter() - start) / repetitions


def fastest_seconds(run):
    run()
    return min(seconds_each(run, 1) for _ in range(3))


def time_in_turn(variants, rounds):
    """Milliseconds of one run by name, one entry for each round."""
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


def main():
    arguments = parse_arguments()
    try:
        import torch
    except ImportError:
        sys.exit("torch_mlp.py: PyTorch is not installed for this Python (Debian 12: python3-torch)")

    torch.manual_seed(24)
    torch.set_num_threads(arguments.threads)
    c_fc = torch.nn.Linear(arguments.in_features, arguments.hidden)
    c_proj = torch.nn.Linear(arguments.hidden, arguments.in_features)
    x = torch.randn(arguments.tokens, arguments.in_features, requires_grad=True)
    dy = torch.randn(arguments.tokens, arguments.in_features)
    with torch.no_grad():
        c_fc.bias.zero_()
        if arguments.activation_density is not None:
            values = c_fc(x).flatten()
            rank = int((1 - arguments.activation_density) * values.numel())
            c_fc.bias.fill_(-values.kthvalue(max(1, min(rank, values.numel()))).values.item())
        density = (c_fc(x) > 0).float().mean().item()

    def step(inputs, output_gradients, bf16):
        for tensor in (inputs, *c_fc.parameters(), *c_proj.parameters()):
            tensor.grad = None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            y = c_proj(torch.relu(c_fc(inputs)).square())
        y.backward(output_gradients.to(y.dtype))

    variants = {"fp32": lambda: step(x, dy, False), "bf16 autocast": lambda: step(x, dy, True)}
    # Where oneDNN has no bf16 products for the processor, PyTorch computes them element by element: minutes a step.
    few_x, few_dy = x[:64].detach().requires_grad_(), dy[:64]
    fp32_seconds, bf16_seconds = (fastest_seconds(lambda: step(few_x, few_dy, bf16)) for bf16 in (False, True))
    if bf16_seconds > 4 * fp32_seconds:
        print(f"bf16 is left out: {bf16_seconds / fp32_seconds:.0f} times slower than fp32 at 64 tokens; this processor "
              "has no instructions for it", file=sys.stderr)
        del variants["bf16 autocast"]
    milliseconds = time_in_turn(variants, arguments.rounds)
    capability = getattr(torch.backends, "cpu", None)
    for precision, times in milliseconds.items():
        print(
            json.dumps(
                {
                    "bench": "mlp_step",
                    "in": arguments.in_features,
                    "hidden": arguments.hidden,
                    "tokens": arguments.tokens,
                    "threads": arguments.threads,
                    "isa": capability.get_cpu_capability().lower() if capability else None,
                    "density": five_digits(density),
                    "dense_library": f"PyTorch {torch.__version__} {precision}",
                    "dense_library_ms": five_digits(statistics.median(times)),
                    "speedup_vs_fp32": five_digits(
                        statistics.median(a / b for a, b in zip(milliseconds["fp32"], times))
                    ),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
