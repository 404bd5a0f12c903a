#!/usr/bin/env python3
"""The training step of bench_conv in PyTorch: forward, loss, backward, AdamW, dense. One JSON line.

Images are stored as PyTorch prefers, channels first or last, whichever is faster.
"""
import argparse
import json
import statistics

from torch_support import (
    add_precision,
    autocast,
    choose_compiled,
    describe,
    fastest_seconds,
    five_digits,
    import_torch,
    instruction_set,
    keep_freed_memory,
    positive,
    require_precision,
    time_in_turn,
)

CLASSES = 10


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=positive, default=28)
    parser.add_argument("--channels", type=positive, default=1)
    parser.add_argument("--convolutions", default="32,64,64", help="channels of each; all but the first pool")
    parser.add_argument("--batch", type=positive, default=128)
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--rounds", type=positive, default=9)
    add_precision(parser)
    return parser.parse_args()


def make_net(torch, arguments):
    nn = torch.nn
    layers, channels, side = [], arguments.channels, arguments.image
    for index, out in enumerate(int(text) for text in arguments.convolutions.split(",")):
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
        channels = out
        if index > 0:
            layers.append(nn.MaxPool2d(2))
            side //= 2
    layers += [nn.Flatten(), nn.Linear(channels * side * side, 128), nn.ReLU(), nn.Linear(128, CLASSES)]
    return nn.Sequential(*layers)


def main():
    arguments = parse_arguments()
    keep_freed_memory()
    torch = import_torch(arguments.threads)
    require_precision(torch, arguments.precision)

    def make_step_of(memory_format):
        torch.manual_seed(24)
        net = make_net(torch, arguments).to(memory_format=memory_format)
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
        images = torch.randn(arguments.batch, arguments.channels, arguments.image, arguments.image)
        images = images.to(memory_format=memory_format)
        labels = torch.arange(arguments.batch) % CLASSES

        def make_step(forward):
            def step():
                optimizer.zero_grad(set_to_none=True)
                with autocast(torch, arguments.precision):
                    logits = forward(images)
                torch.nn.functional.cross_entropy(logits.float(), labels).backward()
                optimizer.step()

            return step

        return choose_compiled(torch, arguments.compile, net, make_step)

    candidates = {name: make_step_of(getattr(torch, name)) for name in ("contiguous_format", "channels_last")}
    name = min(candidates, key=lambda each: fastest_seconds(candidates[each][0]))
    step, compiled = candidates[name]
    milliseconds = time_in_turn({"step": step}, arguments.rounds)["step"]
    line = {
        "bench": "conv_step",
        "image": arguments.image,
        "channels": arguments.channels,
        "convolutions": [int(text) for text in arguments.convolutions.split(",")],
        "batch": arguments.batch,
        "threads": arguments.threads,
        "isa": instruction_set(torch),
        "precision": arguments.precision,
        "library": describe(torch, arguments.precision, compiled),
        "memory_format": name,
        "ms": five_digits(statistics.median(milliseconds)),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
