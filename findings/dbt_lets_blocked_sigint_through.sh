#!/usr/bin/env bash
# dbt-core 1.11.16 in a program's own process: `dbt parse` unblocks SIGINT, although the program has blocked it.
#
# A program may block SIGINT in its threads, so that one thread of its own waits for Ctrl-C with sigwait. After
# dbtRunner().invoke(["parse"]) the signal is no longer blocked in the calling thread: the next Ctrl-C raises
# KeyboardInterrupt in whatever the main thread is doing. Importing dbt changes nothing; the first invocation does.
#
# The cause: dbt takes a lock of multiprocessing's spawn context, which starts CPython's resource tracker. To start it,
# CPython blocks SIGINT and SIGTERM and then unblocks both. It should restore the mask that it found. If the resource
# tracker already runs when the program blocks the signal, the mask stays.
#
# Seen with dbt-core 1.11.16, dbt-duckdb 1.11.1, CPython 3.11.7 (SIGINT blocked?):
#   before dbt is imported                True
#   after the import                      True
#   after dbt parse                       False
#   after dbt parse, tracker started first True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dbt-core==1.11.16 dbt-duckdb==1.11.1 duckdb==2.0.0
mkdir -p "$folder/project/models"
cd "$folder/project"
echo "{name: project, profile: project}" > dbt_project.yml
echo "project: {target: dev, outputs: {dev: {type: duckdb, path: ':memory:'}}}" > profiles.yml
echo "select 1 as one" > models/one.sql
cat > look.py <<'PYTHON'
import signal
import sys
from multiprocessing import resource_tracker


def is_blocked():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


if "tracker-first" in sys.argv:
    resource_tracker.ensure_running()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
found = [is_blocked()]
from dbt.cli.main import dbtRunner

found.append(is_blocked())
assert dbtRunner().invoke(["--quiet", "parse"]).success
found.append(is_blocked())
print(*found)
PYTHON
alone=$("$folder/venv/bin/python" look.py)
first=$("$folder/venv/bin/python" look.py tracker-first)
echo "before, after the import, after parse: $alone"
echo "the same, tracker started first:       $first"
[ "$alone" = "True True False" ] && [ "$first" = "True True True" ] || { echo "this has changed"; exit 1; }
