#!/usr/bin/env python3
"""The training step of bench_mlp in PyTorch, in fp32 or under bf16 autocast, at PyTorch's best settings. One JSON line.

The step is dense, with the biases of both layers and the gradient of the input, without an optimizer. Under autocast
the input and the gradient of the output are bf16, as in bench_mlp; weights and their gradients are fp32.
"""
import argparse
import json
import statistics

from torch_support import (
    add_precision,
    as_activation,
    autocast,
    choose_compiled,
    describe,
    five_digits,
    import_torch,
    instruction_set,
    keep_freed_memory,
    positive,
    require_precision,
    time_in_turn,
)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--in", dest="in_features", type=positive, default=768)
    parser.add_argument("--hidden", type=positive, default=3072)
    parser.add_argument("--tokens", type=positive, default=2048)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--activation-density", type=float)
    parser.add_argument("--rounds", type=positive, default=9)
    add_precision(parser)
    arguments = parser.parse_args()
    if arguments.activation_density is not None and not 0 <= arguments.activation_density <= 1:
        parser.error(f"--activation-density: {arguments.activation_density} is not in [0, 1]")
    return arguments


def main():
    arguments = parse_arguments()
    keep_freed_memory()
    torch = import_torch(arguments.threads)
    precision = arguments.precision
    require_precision(torch, precision)
    torch.manual_seed(24)
    c_fc = torch.nn.Linear(arguments.in_features, arguments.hidden)
    c_proj = torch.nn.Linear(arguments.hidden, arguments.in_features)
    x = torch.randn(arguments.tokens, arguments.in_features)
    dy = as_activation(torch.randn(arguments.tokens, arguments.in_features), precision)
    with torch.no_grad():
        c_fc.bias.zero_()
        if arguments.activation_density is not None:
            values = c_fc(x).flatten()
            rank = int((1 - arguments.activation_density) * values.numel())
            c_fc.bias.fill_(-values.kthvalue(max(1, min(rank, values.numel()))).values.item())
        density = (c_fc(x) > 0).float().mean().item()
    x = as_activation(x, precision).requires_grad_()

    def forward(inputs):
        hidden = torch.relu(c_fc(inputs))
        return c_proj(hidden * hidden)  # Takes half the time of square(), whose gradient computes a power.

    def make_step(pass_forward):
        def step():
            for tensor in (x, *c_fc.parameters(), *c_proj.parameters()):
                tensor.grad = None
            with autocast(torch, precision):
                y = pass_forward(x)
            y.backward(dy)

        return step

    step, compiled = choose_compiled(torch, arguments.compile, forward, make_step)
    milliseconds = time_in_turn({"step": step}, arguments.rounds)["step"]
    line = {
        "bench": "mlp_step",
        "in": arguments.in_features,
        "hidden": arguments.hidden,
        "tokens": arguments.tokens,
        "threads": arguments.threads,
        "isa": instruction_set(torch),
        "precision": precision,
        "density": five_digits(density),
        "dense_library": describe(torch, precision, compiled),
        "dense_library_ms": five_digits(statistics.median(milliseconds)),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
