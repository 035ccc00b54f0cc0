#!/usr/bin/env bash
# dbt-common 1.39.0: a dbt invocation walks the whole call stack of its caller, once for each behaviour flag.
#
# dbtRunner makes the adapter anew at each invocation, and the adapter describes its behaviour flags. dbt-common looks
# up with inspect.stack() which module a flag comes from, also if the flag names it. inspect.stack() reads source lines
# for every frame, down to the first one of the program, though the answer stands near the top. So the same `dbt build`
# of the same project costs more the deeper its caller is. In a large process with a stack of a hundred frames, such as
# an orchestrator's, that was about 0.1 CPU seconds an invocation. In a thread of its own dbt starts from a short stack.
#
# Seen with dbt-core 1.11.16, dbt-common 1.39.0, dbt-adapters 1.24.5, dbt-duckdb 1.11.1, duckdb 2.0.0, CPython 3.11.7:
#   2 flags; 101 more frames read for each when called 101 frames deeper
#   in a thread of its own, called from anywhere: 2 more in all
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dbt-core==1.11.16 dbt-common==1.39.0 dbt-adapters==1.24.5 \
    dbt-duckdb==1.11.1 duckdb==2.0.0
cd "$folder"
cat > look.py <<'PYTHON'
import inspect
import pathlib
import threading
from unittest.mock import patch

from dbt.cli.main import dbtRunner

pathlib.Path("models").mkdir()
pathlib.Path("dbt_project.yml").write_text("name: small\nversion: '1.0'\nprofile: small\n")
pathlib.Path("profiles.yml").write_text(
    "small:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: small.duckdb}\n"
)
pathlib.Path("models/one.sql").write_text("select 1 as number")

stack = inspect.stack
frames = []


def counted(context=1):
    found = stack(context)
    frames.append(len(found) - 1)
    return found


def build():
    outcome = dbtRunner().invoke(["build", "--quiet"])
    assert outcome.success, outcome.exception


def deeper(levels):
    build() if levels == 0 else deeper(levels - 1)


def in_a_thread():
    thread = threading.Thread(target=build)
    thread.start()
    thread.join()


def look(work):
    frames.clear()
    with patch("inspect.stack", counted):
        work()
    return len(frames), sum(frames)


build()
flags, at_the_top = look(build)
again, deep = look(lambda: deeper(99))
_, threaded = look(in_a_thread)
assert flags == again
print(f"{flags} flags; {(deep - at_the_top) // flags} more frames read for each when called 101 frames deeper")
print(f"in a thread of its own, called from anywhere: {threaded - at_the_top} more in all")
PYTHON
found=$("$folder/venv/bin/python" look.py)
echo "$found"
expected="2 flags; 101 more frames read for each when called 101 frames deeper
in a thread of its own, called from anywhere: 2 more in all"
[ "$found" = "$expected" ] || { echo "this has changed"; exit 1; }
