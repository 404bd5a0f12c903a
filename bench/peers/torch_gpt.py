#!/usr/bin/env python3
"""A training step of twofour's Gpt in PyTorch, in fp32 or under bf16 autocast: forward, loss, backward, AdamW. One JSON
line.

The model is nanochat's: RMS norm without weights, rotary embeddings and QK norm, causal attention, no biases, an untied
head. Under autocast the stream between blocks is bf16, too, which is faster than a stream of fp32; parameters, the loss
and the optimizer are fp32. `mlp_share` is the time of the MLPs alone, forward and backward, divided by the time of the step. `peak_mib` is
the peak memory of the process, including the interpreter and its libraries (`libraries_mib`) and, unless --compile is
no, torch.compile.
"""
import argparse
import json
import math
import resource
import statistics
import sys

from torch_support import (
    add_precision,
    as_activation,
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


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=positive, default=768)
    parser.add_argument("--depth", type=positive, default=4)
    parser.add_argument("--head-size", type=positive, default=64)
    parser.add_argument("--sequence-length", type=positive, default=512)
    parser.add_argument("--batch", type=positive, default=4)
    parser.add_argument("--vocab", type=positive, default=256)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--activation", choices=("relu_squared", "relu", "gelu", "swiglu"), default="relu_squared")
    add_precision(parser)
    arguments = parser.parse_args()
    if arguments.width % arguments.head_size or arguments.head_size % 2:
        parser.error(f"--head-size: {arguments.head_size} is odd or does not divide --width {arguments.width}")
    return arguments


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


ARGUMENTS = parse_arguments()
keep_freed_memory()
torch = import_torch(ARGUMENTS.threads)
F = torch.nn.functional
LIBRARIES_MIB = peak_mib()


def rms_norm(x):
    return x * ((x * x).mean(-1, keepdim=True) + 1e-6).rsqrt()


def rotary_tables(length, head_size):
    """Cosines and sines [length, 1, head_size] for `rotary`."""
    frequencies = 10000 ** (-torch.arange(0, head_size, 2) / head_size)
    angles = torch.outer(torch.arange(length).float(), frequencies)[:, None, :]
    tables = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin(), -angles.sin()], -1)
    return tuple(as_activation(table, ARGUMENTS.precision) for table in tables)


def rotary(x, tables):
    """x [batch, T, heads, head_size]. One roll is faster than cutting out halves and joining them again."""
    cosines, sines = tables
    return x * cosines + x.roll(x.shape[-1] // 2, -1) * sines


def attention_by_blocks(block):
    """Causal attention on q, k, v [batch * heads, T, head_size]. Takes `block` queries at a time, with the keys up to
    the last of these queries. With `block` equal to T this is the usual form.
    """

    def attention(q, k, v):
        length, head_size = q.shape[1:]
        mask = torch.full((length, length), -math.inf).triu(1)
        q, k = q * (1 / math.sqrt(head_size)), k.transpose(1, 2)
        parts = []
        for begin in range(0, length, block):
            end = min(begin + block, length)
            scores = torch.bmm(q[:, begin:end], k[:, :, :end]).add_(mask[begin:end, :end])
            parts.append(torch.bmm(scores.softmax(-1), v[:, :end]))
        return torch.cat(parts, 1)

    return attention


def attention_candidates(length):
    candidates = {"softmax of all scores": attention_by_blocks(length)}
    for block in (64, 128, 256):
        if block < length:
            candidates[f"softmax by {block} queries"] = attention_by_blocks(block)
    if hasattr(F, "scaled_dot_product_attention"):  # PyTorch 2.
        candidates["scaled_dot_product_attention"] = lambda q, k, v: F.scaled_dot_product_attention(
            q[None], k[None], v[None], is_causal=True
        )[0]
    return candidates


def fastest_attention(batch_heads, length, head_size):
    """Name and function of the fastest candidate, forward and backward, for these sizes."""
    precision = ARGUMENTS.precision
    q, k, v = (
        as_activation(torch.randn(batch_heads, length, head_size), precision).requires_grad_() for _ in range(3)
    )
    upstream = torch.randn_like(q)

    def forward_backward(attention):
        q.grad = k.grad = v.grad = None
        with autocast(torch, precision):
            y = attention(q, k, v)
        y.backward(upstream.to(y.dtype))

    candidates = attention_candidates(length)
    seconds = {name: fastest_seconds(lambda: forward_backward(candidates[name])) for name in candidates}
    for name, value in seconds.items():
        print(f"attention, {name}: {1e3 * value:.1f} ms", file=sys.stderr)
    name = min(seconds, key=seconds.get)
    return name, candidates[name]


def linear(inputs, outputs):
    return torch.nn.Linear(inputs, outputs, bias=False)


class Attention(torch.nn.Module):
    def __init__(self, width, head_size, attention):
        super().__init__()
        self.head_size = head_size
        self.attention = attention
        self.c_q, self.c_k, self.c_v, self.c_proj = (linear(width, width) for _ in range(4))

    def forward(self, x, tables):
        batch, length, width = x.shape

        def by_head(projected):  # [batch, T, heads, head_size] -> [batch * heads, T, head_size]
            return projected.transpose(1, 2).reshape(-1, length, self.head_size)

        q, k, v = (project(x).view(batch, length, -1, self.head_size) for project in (self.c_q, self.c_k, self.c_v))
        q, k = rms_norm(rotary(q, tables)), rms_norm(rotary(k, tables))
        y = self.attention(by_head(q), by_head(k), by_head(v))
        y = y.view(batch, -1, length, self.head_size).transpose(1, 2).reshape(batch, length, width)
        return self.c_proj(y)


class Mlp(torch.nn.Module):
    def __init__(self, width, activation):
        super().__init__()
        swiglu = activation == "swiglu"
        # With SwiGLU 8/3 width, rounded up to a multiple of 16: about as many weights.
        hidden = -(-8 * width // 48) * 16 if swiglu else 4 * width
        self.activation = activation
        self.c_gate = linear(width, hidden) if swiglu else None
        self.c_fc, self.c_proj = linear(width, hidden), linear(hidden, width)

    def forward(self, x):
        hidden = self.c_fc(x)
        if self.activation == "swiglu":
            hidden = F.silu(self.c_gate(x)) * hidden
        elif self.activation == "gelu":
            hidden = F.gelu(hidden)
        else:
            hidden = hidden.relu()
            if self.activation == "relu_squared":
                hidden = hidden * hidden  # Takes half the time of square(), whose gradient computes a power.
        return self.c_proj(hidden)


class Block(torch.nn.Module):
    def __init__(self, arguments, attention):
        super().__init__()
        self.attn = Attention(arguments.width, arguments.head_size, attention)
        self.mlp = Mlp(arguments.width, arguments.activation)

    def forward(self, x, tables):
        x = x + self.attn(rms_norm(x), tables)
        return x + self.mlp(rms_norm(x))


class Gpt(torch.nn.Module):
    def __init__(self, arguments, attention):
        super().__init__()
        self.wte = torch.nn.Embedding(arguments.vocab, arguments.width)
        self.h = torch.nn.ModuleList(Block(arguments, attention) for _ in range(arguments.depth))
        self.lm_head = linear(arguments.width, arguments.vocab)
        self.tables = rotary_tables(arguments.sequence_length, arguments.head_size)

    def forward(self, tokens, targets):
        x = rms_norm(as_activation(self.wte(tokens), ARGUMENTS.precision))
        for block in self.h:
            x = block(x, self.tables)
        return F.cross_entropy(self.lm_head(rms_norm(x)).flatten(0, 1), targets.flatten())


def adamw(parameters):
    options = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}
    try:
        return torch.optim.AdamW(parameters, fused=True, **options)  # Works on CPUs from PyTorch 2.4 on.
    except (TypeError, RuntimeError):
        return torch.optim.AdamW(parameters, foreach=False, **options)  # foreach=True is no faster on CPUs.


def main():
    arguments = ARGUMENTS
    require_precision(torch, arguments.precision)
    torch.manual_seed(24)
    heads = arguments.width // arguments.head_size
    attention_name, attention = fastest_attention(
        arguments.batch * heads, arguments.sequence_length, arguments.head_size
    )
    model = Gpt(arguments, attention)
    optimizer = adamw(model.parameters())
    tokens, targets = torch.randint(arguments.vocab, (2, arguments.batch, arguments.sequence_length))

    def make_step(forward):
        def step():
            optimizer.zero_grad(set_to_none=True)
            with autocast(torch, arguments.precision):
                loss = forward(tokens, targets)
            loss.backward()
            optimizer.step()

        return step

    step, compiled = choose_compiled(torch, arguments.compile, model, make_step)
    x = as_activation(torch.randn(arguments.batch, arguments.sequence_length, arguments.width), arguments.precision)
    x.requires_grad_()
    upstream = torch.randn_like(x)
    mlps = [torch.compile(block.mlp) if compiled else block.mlp for block in model.h]

    def mlps_alone():
        optimizer.zero_grad(set_to_none=True)
        for mlp in mlps:
            x.grad = None
            with autocast(torch, arguments.precision):
                y = mlp(x)
            y.backward(upstream)

    milliseconds = time_in_turn({"step": step, "mlps": mlps_alone}, arguments.rounds)
    step_ms = statistics.median(milliseconds["step"])
    line = {
        "bench": "gpt_step",
        "width": arguments.width,
        "depth": arguments.depth,
        "head_size": arguments.head_size,
        "sequence_length": arguments.sequence_length,
        "batch": arguments.batch,
        "vocab": arguments.vocab,
        "activation": arguments.activation,
        "threads": arguments.threads,
        "isa": instruction_set(torch),
        "precision": arguments.precision,
        "library": describe(torch, arguments.precision, compiled),
        "attention": attention_name,
        "ms": five_digits(step_ms),
        "fastest_ms": five_digits(min(milliseconds["step"])),
        "slowest_ms": five_digits(max(milliseconds["step"])),
        "tokens_per_s": five_digits(1e3 * arguments.batch * arguments.sequence_length / step_ms),
        "mlp_share": five_digits(statistics.median(m / s for m, s in zip(milliseconds["mlps"], milliseconds["step"]))),
        "peak_mib": five_digits(peak_mib()),
        "libraries_mib": five_digits(LIBRARIES_MIB),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
