#!/usr/bin/env python3
"""Checks with other programs what `trainer export` writes and `trainer import` reads.

Each format is decoded by PyTorch, by compressed-tensors, and by functions that were written from docs/formats.md alone.
ONNX models pass ONNX's checker with shape inference, and onnxruntime computes what trainer computes.
A GPT-2 and a Llama are made with Hugging Face's transformers; their losses are compared before import, after pruning and
after export. Prints a line for each check, and fails with the first that does not hold. Run by hand:

    python3 -m venv venv && venv/bin/pip install torch transformers compressed-tensors==0.9.4 onnx onnxruntime
    venv/bin/python scripts/check_exchange.py build/release/bin/trainer
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
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


def decode_vnm(values, columns, positions, pattern):
    """The packed form of V:N:M, from its description in docs/formats.md, entry by entry."""
    rows, cols, v, n, m = pattern.tolist()
    groups = -(-cols // m)
    dense = torch.zeros(rows, groups * m, dtype=values.dtype)
    flags = numpy.unpackbits(positions.numpy(), axis=1, bitorder="little")
    for row in range(rows):
        for i in range(groups * n):
            group, place = i // n, int(flags[row, 2 * i]) + 2 * int(flags[row, 2 * i + 1])
            dense[row, group * m + int(columns[row // v, group, place])] = values[row, i]
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
        if f"{key}_vnm_pattern" in tensors:
            parts = ("values", "columns", "positions", "pattern")
            decoded = decode_vnm(*(tensors[f"{key}_vnm_{part}"] for part in parts))
        elif form == "packed":
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


def loss_of(logits_of, ids, length=LENGTH):
    """The mean over all windows of tokens, of which each predicts the next, as `trainer evaluate` has it."""
    starts = range(0, len(ids) - length, length)
    inputs = torch.stack([ids[start:start + length] for start in starts])
    targets = torch.stack([ids[start + 1:start + length + 1] for start in starts])
    with torch.no_grad():
        logits = logits_of(inputs).float()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()


def close(one, other):
    return abs(one - other) < 1e-5 * abs(other)


def onnx_session(trainer, run, file, sparse=True):
    trainer("export", "--run", run, "--format", "onnx", "-o", file)
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    for initializer in model.graph.initializer:
        if sparse and ".mlp." in initializer.name and initializer.name.endswith(".weight"):
            weight = onnx.numpy_helper.to_array(initializer)
            check(f"{file.name}: {initializer.name} is 2:4 along rows",
                  (numpy.count_nonzero(weight.reshape(len(weight), -1, 4), axis=2) <= 2).all())
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def check_onnx_mlp(trainer, folder, name, model):
    """Predictions of a table's rows are those that onnxruntime computes."""
    table = folder / "table.csv"
    rows = torch.rand(60, 16)
    table.write_text("".join(",".join(f"{x:.6f}" for x in row) + f",{'abc'[i % 3]}\n"
                             for i, row in enumerate(rows.tolist())))
    (folder / f"{name}.pbtxt").write_text(f"""{model} data {{ csv {{ path: "{table}" standardize: false }} }}
        training {{ steps: 30 batch_size: 16 }} logging {{ tensorboard: false }} {TWO_OF_FOUR}""")
    run = folder / name
    trainer("--config", folder / f"{name}.pbtxt", "--out", run)
    predicted = trainer("predict", "--run", run, "--input", table, "--probabilities").splitlines()[1:]
    theirs = numpy.array([[float(cell) for cell in line.split(",")[1:]] for line in predicted])
    inputs = numpy.loadtxt(table, delimiter=",", usecols=range(16), dtype=numpy.float32)
    logits = onnx_session(trainer, run, folder / f"{name}.onnx").run(None, {"input": inputs})[0]
    probabilities = torch.softmax(torch.from_numpy(logits), 1).numpy()
    check(f"{name}: onnxruntime's probabilities are within {abs(probabilities - theirs).max():.1e} of trainer predict's",
          abs(probabilities - theirs).max() < 1e-5)


def check_onnx_gpt(trainer, folder, name, fields):
    """A GPT of twofour's own kind."""
    ids = torch.randint(0, VOCAB_SIZE, (2000,))
    (folder / "gpt.ids").write_bytes(ids.numpy().astype("<u2").tobytes())
    (folder / f"{name}.pbtxt").write_text(f"""model {{ gpt {{ width: 64 heads: 4 sequence_length: 24 depth: 2
        init {{ projection_std: 0.2 head_std: 0.5 }} {fields} }} }}
        data {{ tokens {{ path: "{folder / 'gpt.ids'}" }} }} training {{ steps: 3 batch_size: 4 }}
        logging {{ tensorboard: false }} {TWO_OF_FOUR}""")
    run = folder / name
    trainer("--config", folder / f"{name}.pbtxt", "--out", run)
    session = onnx_session(trainer, run, folder / f"{name}.onnx")
    other = torch.randint(0, VOCAB_SIZE, (1 + 8 * 24,))
    (folder / "other.ids").write_bytes(other.numpy().astype("<u2").tobytes())
    loss = json.loads(trainer("evaluate", "--run", run, "--data", folder / "other.ids", "--json"))["loss"]
    logits_of = lambda tokens: torch.from_numpy(session.run(None, {"tokens": tokens.numpy()})[0])
    check(f"{name}: onnxruntime's loss {loss_of(logits_of, other, 24):.6f} is trainer's {loss:.6f}",
          close(loss_of(logits_of, other, 24), loss))


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

    trainer("import", "--from", theirs, "--out", run)
    check(f"{name}: imported, loss {evaluate(run):.6f} is transformers'", close(evaluate(run), loss_of(lambda x: model(x).logits, ids)))
    session = onnx_session(trainer, run, folder / f"{name}.onnx", sparse=False)
    with torch.no_grad():
        difference = torch.from_numpy(session.run(None, {"tokens": ids[:20].view(2, 10).numpy()})[0])
        difference -= model(ids[:20].view(2, 10)).logits
    check(f"{name}: onnxruntime's logits are within {difference.abs().max():.1e} of transformers'",
          difference.abs().max() < 2e-5)
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
          close(evaluate(tuned), loss_of(lambda x: loaded(x).logits, ids)))
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
        vnm = "sparsity {{ enabled: true algorithm: VNM multiple_of: 4 vnm {{ v: {} m: {} inner: {} }} }}"
        check_formats(trainer, folder, "vnm_64_2_8", vnm.format(64, 8, "TRANSPOSABLE"), ("packed",))
        check_formats(trainer, folder, "vnm_4_2_5_rows", vnm.format(4, 5, "ROWS"), ("packed",))
        check_onnx_mlp(trainer, folder, "onnx_mlp", "model { mlp { hidden_features: [32, 48] activation: GELU } }")
        check_onnx_mlp(trainer, folder, "onnx_residual", "model { residual_mlp { width: 32 activation: SWIGLU } }")
        check_onnx_gpt(trainer, folder, "onnx_gpt", "kv_heads: 2 attention_window: 7")
        check_onnx_gpt(trainer, folder, "onnx_gpt_gelu", "activation: GELU_TANH soft_cap: 0 bias: true norm: LAYER")
        check_onnx_gpt(trainer, folder, "onnx_gpt_wide_heads", "kv_heads: 2 head_features: 24")
        gpt2 = {"vocab_size": VOCAB_SIZE, "n_positions": LENGTH, "n_embd": 64, "n_layer": 2, "n_head": 4,
                "bos_token_id": 0, "eos_token_id": 0}
        check_language_model(trainer, folder, "gpt2", GPT2LMHeadModel(GPT2Config(**gpt2)))
        llama = {"vocab_size": VOCAB_SIZE, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                 "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": LENGTH}
        check_language_model(trainer, folder, "llama", LlamaForCausalLM(LlamaConfig(**llama)), max_shard_size="100KB")
        check_language_model(trainer, folder, "llama_wide_heads", LlamaForCausalLM(LlamaConfig(**llama, head_dim=24)))
        scaling = {"rope_type": "llama3", "rope_theta": 5000.0, "factor": 8.0, "low_freq_factor": 1.0,
                   "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
        check_language_model(trainer, folder, "llama3_tied",
                             LlamaForCausalLM(LlamaConfig(**llama, rope_parameters=scaling, tie_word_embeddings=True)))


if __name__ == "__main__":
    main(sys.argv[1])
