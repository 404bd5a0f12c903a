#!/usr/bin/env python3
"""Writes docs/config.md from the comments of train/program/config.proto, or with --check says whether it is up to date.

    scripts/make_config_page.py [--check]
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTO, PAGE = ROOT / "train/program/config.proto", ROOT / "docs/config.md"
INTRO = """# Fields of a config

Every field of a config, which is a file in protobuf text ([examples](../configs)):

```
name: "my_run"
model { mlp { hidden_features: [256, 256] activation: RELU } }
data { csv { path: "table.csv" label: "class" } }
training { steps: 1000 batch_size: 64 }
sparsity { enabled: true }
```

`--set training.steps=2000` changes a field from the command line, and `trainer --config FILE --print-config` shows each
field with its value. This page is made from [train/program/config.proto](../train/program/config.proto) by
`scripts/make_config_page.py`.
"""
FIELD = re.compile(r"(?:(optional|repeated) )?([\w.]+) (\w+) = \d+(?: \[(.*)\])?;(?: *// (.*))?")
# A comment that begins so far to the right goes on with that of the line above.
CONTINUED = 12
VALUE = re.compile(r"(\w+) = \d+;(?: *// (.*))?")


class Block:
    """A message, an enum or a oneof."""

    def __init__(self, kind, name, comment):
        self.kind, self.name, self.comment = kind, name, comment
        self.rows = []  # (name, type, default, description), or the Block of a oneof


def statements(text):
    """Lines of the file; a field that goes over several lines is joined. "..." begins what goes on with a comment."""
    pending = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("//") and len(raw) - len(line) >= CONTINUED:
            line = "..." + line[2:]
        if pending or (line and not line.startswith(("//", "...")) and not re.search(r"[;{}]( *//.*)?$", line)):
            pending = f"{pending} {line}".strip()
            if not re.search(r"[;{}]( *//.*)?$", pending):
                continue
            line, pending = pending, ""
        yield line


def parse(text):
    top, stack, comment = [], [], []
    for line in statements(text):
        if line.startswith("//"):
            comment.append(line[2:].strip())
            continue
        if line.startswith("..."):
            *row, said = stack[-1].rows[-1]
            stack[-1].rows[-1] = (*row, f"{said} {line[3:].strip()}")
            continue
        said = " ".join(comment)
        opened = re.match(r"(message|enum|oneof|extend) ([\w.]+) \{", line)
        if opened:
            block = Block(opened[1], opened[2], said)
            if block.kind == "oneof":
                stack[-1].rows.append(block)
            elif block.kind != "extend":
                names = [outer.name for outer in stack if outer.kind == "message"]
                block.name = ".".join([*names, block.name])
                top.append(block)
            stack.append(block)
        elif line == "}":
            stack.pop()
        elif stack and stack[-1].kind == "enum" and (value := VALUE.match(line)):
            stack[-1].rows.append((value[1], "", "", value[2] or said))
        elif stack and (field := FIELD.match(line)):
            default = re.search(r"default = (\"[^\"]*\"|[^,\]]+)", field[4] or "")
            kind = f"list of {field[2]}" if field[1] == "repeated" else field[2]
            stack[-1].rows.append((field[3], kind, default[1] if default else "", said or field[5] or ""))
        comment = []
    return top


def anchor(name):
    return name.lower().replace(".", "")


def linked(kind, blocks, scope):
    """The type, as a link where it is described on this page."""
    prefix, word = ("list of ", kind[8:]) if kind.startswith("list of ") else ("", kind)
    for name in (f"{scope}.{word}", word):
        if name in blocks:
            return f"{prefix}[{word}](#{anchor(name)})"
    return prefix + word


def cell(text):
    return text.replace("|", "\\|")


def table(block, blocks):
    if block.kind == "enum":
        return ["| value | meaning |", "| --- | --- |"] + [f"| `{row[0]}` | {cell(row[3])} |" for row in block.rows]
    lines = ["| field | type | default | |", "| --- | --- | --- | --- |"]
    for row in block.rows:
        fields = [(row, "")] if isinstance(row, tuple) else [(inner, "one of these: ") for inner in row.rows]
        if not isinstance(row, tuple) and row.comment:
            lines.append(f"| | | | {cell(row.comment)} |")
        for (name, kind, default, text), note in fields:
            shown = f"`{default}`" if default else ""
            lines.append(f"| `{name}` | {note}{linked(kind, blocks, block.name)} | {shown} | {cell(text)} |")
    return lines


def page():
    blocks = {block.name: block for block in parse(PROTO.read_text())}
    shown = [block for block in blocks.values() if block.name != "Part"]
    lines = [INTRO]
    lines.append("\n".join(f"- [{block.name}](#{anchor(block.name)})" for block in shown if "." not in block.name) + "\n")
    for block in shown:
        lines.append(f"## {block.name}\n")
        if block.comment:
            lines.append(block.comment + "\n")
        lines.append("\n".join(table(block, blocks)) + "\n")
    return "\n".join(lines)


def main(check):
    text = page()
    if not check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.exit("docs/config.md is not what train/program/config.proto says: run scripts/make_config_page.py")


if __name__ == "__main__":
    main("--check" in sys.argv[1:])
