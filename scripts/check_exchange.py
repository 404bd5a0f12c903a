#!/usr/bin/env python3
"""Checks with other programs what `trainer export` writes and `trainer import` reads.

Each format is decoded by PyTorch, by compressed-tensors, and by functions that were written from docs/formats.md alone.
A GPT-2 and a Llama are made with Hugging Face's transformers; their losses are compared before import, after pruning and
after export. Prints a line for each check, and fails with the first that does not hold. Run by hand:

    python3 -m venv venv && venv/bin/pip install torch transformers compressed-tensors==0.9.4
    venv/bin/python scripts/check_exchange.py build/release/bin/trainer
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from compressed_tensors.compressors.sparse_compressors.sparse_24_bitmask import Sparse24BitMaskTensor
from safetensors import safe_open
from safetensors.torch import load_file
from torch.sparse import SparseSemiStructuredTensorCUTLASS
from torch.sparse._semi_structured_conversions import (sparse_semi_structured_from_dense_cutlass,
                                                       sparse_semi_structured_to_dense_cutlass)
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

CONFIG = """
model { residual_mlp { width: 64 hidden_features: 128 num_blocks: 2 } }
data { glyphs { train_size: 256 eval_size: 64 } }
training { steps: 30 batch_size: 32 }
logging { tensorboard: false }
"""
TWO_OF_FOUR = "sparsity { enabled: true }"
VOCAB_SIZE, LENGTH = 300, 32


class Program:
    def __init__(self, path):
        self.path = str(pathlib.Path(path).resolve())

    def __call__(self, *arguments):
        done = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"trainer {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr}")
        return done.stdout


def check(what, holds):
    print(("ok    " if holds else "WRONG ") + what, flush=True)
    if not holds:
        sys.exit(1)


def same_bits(one, other):
    integer = {2: torch.int16, 4: torch.int32}[one.element_size()]
    return one.dtype == other.dtype and torch.equal(one.view(integer), other.view(integer))


def decode_packed(values, positions, pattern):
    """The packed form, from its description in docs/formats.md."""
    rows, cols, n, m = pattern.tolist()
    groups, bits = -(-cols // m), (m - 1).bit_length()
    dense = torch.zeros(rows, groups * m, dtype=values.dtype)
    flags = numpy.unpackbits(positions.numpy(), axis=1, bitorder="little")
    for row in range(rows):
        for i in range(groups * n):
            place = sum(int(flags[row, i * bits + b]) << b for b in range(bits))
            dense[row, i // n * m + place] = values[row, i]
    return dense[:, :cols].contiguous()


def decode_bitmask(compressed, bitmask, shape):
    rows, cols = shape.flatten().tolist()
    flags = numpy.unpackbits(bitmask.numpy(), axis=1, bitorder="little")[:, :cols].astype(bool)
    dense = torch.zeros(rows, cols, dtype=compressed.dtype)
    dense[torch.from_numpy(flags)] = compressed.flatten()
    return dense


def check_formats(trainer, folder, name, sparsity, formats):
    (folder / f"{name}.pbtxt").write_text(CONFIG + sparsity)
    run = folder / name
    trainer("--config", folder / f"{name}.pbtxt", "--out", run)
    for dtype, torch_dtype in (("F32", torch.float32), ("BF16", torch.bfloat16), ("F16", torch.float16)):
        masked_file = folder / f"{name}.masked.{dtype}"
        trainer("export", "--run", run, "--format", "masked", "--dtype", dtype, "-o", masked_file)
        with safe_open(masked_file, "pt") as file:
            check(f"{name} {dtype}: safetensors reads it, format pt", file.metadata()["format"] == "pt")
        masked = load_file(masked_file)
        if dtype == "F32":
            single = masked
        check(f"{name} {dtype}: rounded as PyTorch rounds",
              all(same_bits(masked[key], single[key].to(torch_dtype)) for key in single))
        for form in formats:
            if form == "semi-structured" and dtype == "F32":
                continue
            file = folder / f"{name}.{form}.{dtype}"
            trainer("export", "--run", run, "--format", form, "--dtype", dtype, "-o", file)
            check_form(f"{name} {dtype} {form}", form, load_file(file), masked)
            again = folder / f"{name}.{form}.{dtype}.again"
            trainer("import", "--from", file, "--config", folder / f"{name}.pbtxt", "--out", again)
            back = load_file(again / "model.safetensors")
            check(f"{name} {dtype} {form}: comes back exactly",
                  all(same_bits(back[key], masked[key].float()) for key in masked))


def check_form(what, form, tensors, masked):
    count = 0
    for key in masked:
        if not key.endswith(".weight") or key in tensors:
            continue
        stem, weight = key.removesuffix(".weight"), masked[key]
        if form == "packed":
            decoded = decode_packed(*(tensors[f"{key}_{part}"] for part in ("values", "positions", "pattern")))
        elif form == "sparse24-bitmask":
            parts = {part: tensors[f"{stem}.{part}"] for part in ("compressed", "bitmask", "shape")}
            decoded = decode_bitmask(**parts)
            theirs = Sparse24BitMaskTensor.from_compressed_data(**parts).decompress()
            check(f"{what}: compressed-tensors decodes {key}", same_bits(theirs, weight))
        else:
            packed, meta = tensors[f"{key}_packed"], tensors[f"{key}_meta"]
            decoded = sparse_semi_structured_to_dense_cutlass(packed, meta)
            theirs = sparse_semi_structured_from_dense_cutlass(weight)
            check(f"{what}: values and metadata of {key} are PyTorch's",
                  same_bits(theirs[0], packed) and torch.equal(theirs[1], meta))
            SparseSemiStructuredTensorCUTLASS(weight.shape, packed=packed, meta=meta, packed_t=None, meta_t=None,
                                              compressed_swizzled_bitmask=None)
        check(f"{what}: {key} decodes to the masked weight", same_bits(decoded, weight))
        count += 1
    check(f"{what}: has weights in that form", count > 0)


def loss_of(model, ids):
    """The mean over all windows of LENGTH tokens, of which each predicts the next, as `trainer evaluate` has it."""
    starts = range(0, len(ids) - LENGTH, LENGTH)
    inputs = torch.stack([ids[start:start + LENGTH] for start in starts])
    targets = torch.stack([ids[start + 1:start + LENGTH + 1] for start in starts])
    with torch.no_grad():
        logits = model(inputs).logits.float()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()


def check_language_model(trainer, folder, name, model, **save_options):
    with torch.no_grad():
        for parameter in model.eval().parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
            else:
                parameter.mul_(5)
    theirs, run = folder / f"{name}.theirs", folder / name
    model.save_pretrained(theirs, **save_options)
    ids = torch.randint(0, VOCAB_SIZE, (1 + 8 * LENGTH,))
    ids_file = folder / f"{name}.ids"
    ids.numpy().astype("<u2").tofile(ids_file)

    def evaluate(path):
        return json.loads(trainer("evaluate", "--run", path, "--data", ids_file, "--json"))["loss"]

    def close(one, other):
        return abs(one - other) < 1e-5 * other

    trainer("import", "--from", theirs, "--out", run)
    check(f"{name}: imported, loss {evaluate(run):.6f} is transformers'", close(evaluate(run), loss_of(model, ids)))
    back = folder / f"{name}.back"
    trainer("export", "--run", run, "--names", "huggingface", "--shard-size", 1, "-o", back)
    loaded = AutoModelForCausalLM.from_pretrained(back).eval()
    check(f"{name}: exported, transformers has the same parameters",
          all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True)))

    tuned = folder / f"{name}.tuned"
    trainer("--config", run / "config.pbtxt", "--sparse", "--out", tuned, "--set",
            f"initial_weights={run / 'model.safetensors'}", "--set", f"data.tokens.path={ids_file}", "--set",
            "training={ steps: 3 batch_size: 2 }", "--set", f"model.gpt.sequence_length={LENGTH}", "--set",
            "logging.tensorboard=false")
    exported = folder / f"{name}.sparse"
    trainer("export", "--run", tuned, "--names", "huggingface", "-o", exported)
    loaded = AutoModelForCausalLM.from_pretrained(exported).eval()
    check(f"{name}: fine-tuned with 2:4 MLPs and exported, loss {evaluate(tuned):.6f} is transformers'",
          close(evaluate(tuned), loss_of(loaded, ids)))
    zeros = [parameter for key, parameter in loaded.named_parameters()
             if ".mlp." in key and (parameter == 0).float().mean() == 0.5]
    check(f"{name}: half of {len(zeros)} MLP matrices is zero", len(zeros) >= 4)
    trainer("import", "--from", exported, "--out", folder / f"{name}.again")
    check(f"{name}: imported again, same loss", close(evaluate(folder / f"{name}.again"), evaluate(tuned)))


def main(path):
    torch.manual_seed(1)
    trainer = Program(path)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_formats(trainer, folder, "two_of_four", TWO_OF_FOUR, ("packed", "sparse24-bitmask", "semi-structured"))
        rows = "sparsity {{ enabled: true algorithm: ROWS multiple_of: {1} rows {{ keep: {0} of: {1} }} }}"
        check_formats(trainer, folder, "one_of_four", rows.format(1, 4), ("packed", "sparse24-bitmask"))
        check_formats(trainer, folder, "three_of_sixteen", rows.format(3, 16), ("packed",))
        gpt2 = {"vocab_size": VOCAB_SIZE, "n_positions": LENGTH, "n_embd": 64, "n_layer": 2, "n_head": 4,
                "bos_token_id": 0, "eos_token_id": 0}
        check_language_model(trainer, folder, "gpt2", GPT2LMHeadModel(GPT2Config(**gpt2)))
        llama = {"vocab_size": VOCAB_SIZE, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                 "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": LENGTH}
        check_language_model(trainer, folder, "llama", LlamaForCausalLM(LlamaConfig(**llama)), max_shard_size="100KB")
        scaling = {"rope_type": "llama3", "rope_theta": 5000.0, "factor": 8.0, "low_freq_factor": 1.0,
                   "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
        check_language_model(trainer, folder, "llama3_tied",
                             LlamaForCausalLM(LlamaConfig(**llama, rope_parameters=scaling, tie_word_embeddings=True)))


if __name__ == "__main__":
    main(sys.argv[1])
