#!/usr/bin/env python3
"""The training step of bench_mlp in PyTorch, in fp32 and under bf16 autocast: one JSON line each.

The step is dense, with the biases of both layers and the gradient of the input, without an optimizer. bf16 computes
with fewer bits, so it is no replacement for fp32. It is here because a processor with AMX runs it many times faster,
which readers of the figures should know.
"""
import argparse
import json
import statistics
import sys

from torch_support import fastest_seconds, five_digits, import_torch, instruction_set, positive, time_in_turn


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--in", dest="in_features", type=positive, default=768)
    parser.add_argument("--hidden", type=positive, default=3072)
    parser.add_argument("--tokens", type=positive, default=2048)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--activation-density", type=float)
    parser.add_argument("--rounds", type=positive, default=9)
    arguments = parser.parse_args()
    if arguments.activation_density is not None and not 0 <= arguments.activation_density <= 1:
        parser.error(f"--activation-density: {arguments.activation_density} is not in [0, 1]")
    return arguments


def main():
    arguments = parse_arguments()
    torch = import_torch(arguments.threads)
    torch.manual_seed(24)
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
    # If oneDNN has no bf16 products for the processor, PyTorch computes them element by element: minutes a step.
    few_x, few_dy = x[:64].detach().requires_grad_(), dy[:64]
    fp32_seconds, bf16_seconds = (fastest_seconds(lambda: step(few_x, few_dy, bf16)) for bf16 in (False, True))
    if bf16_seconds > 4 * fp32_seconds:
        print(f"bf16 is left out: {bf16_seconds / fp32_seconds:.0f} times slower than fp32 at 64 tokens; this processor "
              "has no instructions for it", file=sys.stderr)
        del variants["bf16 autocast"]
    milliseconds = time_in_turn(variants, arguments.rounds)
    for precision, times in milliseconds.items():
        print(
            json.dumps(
                {
                    "bench": "mlp_step",
                    "in": arguments.in_features,
                    "hidden": arguments.hidden,
                    "tokens": arguments.tokens,
                    "threads": arguments.threads,
                    "isa": instruction_set(torch),
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
