"""Runs the shell commands of a page in their order, as a reader would, in a folder of their own.

run_commands.py SOURCE_DIR TRAINER PAGE. The first command that fails fails the test.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

source, trainer, page = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
text = (source / page).read_text(encoding="utf-8")
commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
assert commands, f"{page} has no commands"
with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    (work / "configs").symlink_to(source / "configs")
    (work / "README.md").symlink_to(source / "README.md")
    for block in commands:
        script = block.replace("build/release/bin/trainer", trainer)
        done = subprocess.run(["bash", "-eu", "-c", script], cwd=work, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{block}ended with {done.returncode}:\n{done.stdout}{done.stderr}")
