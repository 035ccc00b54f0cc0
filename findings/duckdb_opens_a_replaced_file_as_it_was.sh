#!/usr/bin/env bash
# DuckDB 2.0.0 (Python): while a process has a database open, opening the same path again gives the old file, even after
# another file has taken its place by a rename.
#
# A reader that opens the path for each question looks safe beside a writer that swaps the file by a rename: an open file
# stays as it is, and the next open finds the new one. With SQLite it does. DuckDB shares one instance per path within a
# process and does not look whether the path still leads to the same file. So one connection that somebody has forgotten
# to close, in a notebook or a thread of a service, has every later reader of the process answer from the old data. No
# error and no warning. Once all connections are closed, the new file is read.
#
# Seen:
#   nothing else open         duckdb new   sqlite new
#   one connection left open  duckdb old   sqlite new
#   after it was closed       duckdb new   sqlite new
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==2.0.0
cd "$folder"
cat > look.py <<'PYTHON'
import os
import sqlite3

import duckdb


def opened(kind, path):
    if kind == "duckdb":
        return duckdb.connect(path, read_only=True)
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def write(kind, path, value):
    if os.path.exists(path):
        os.remove(path)
    connection = (duckdb if kind == "duckdb" else sqlite3).connect(path)
    connection.execute("create table answers (answer varchar)")
    connection.execute(f"insert into answers values ('{value}')")
    connection.commit()
    connection.close()


def read(kind, path):
    connection = opened(kind, path)
    answer = connection.execute("select answer from answers").fetchall()[0][0]
    connection.close()
    return answer


def swap(kind, path):
    write(kind, f"{path}.draft", "new")
    os.replace(f"{path}.draft", path)


def answers(kind):
    path = f"answers.{kind}"
    write(kind, path, "old")
    assert read(kind, path) == "old"
    swap(kind, path)
    found = [read(kind, path)]
    write(kind, path, "old")
    left_open = opened(kind, path)
    assert left_open.execute("select answer from answers").fetchall() == [("old",)]
    swap(kind, path)
    found.append(read(kind, path))
    left_open.close()
    found.append(read(kind, path))
    return found


names = ("nothing else open", "one connection left open", "after it was closed")
for name, of_duckdb, of_sqlite in zip(names, answers("duckdb"), answers("sqlite")):
    print(f"{name:<25} duckdb {of_duckdb}   sqlite {of_sqlite}")
PYTHON
"$folder/venv/bin/python" look.py | tee seen
diff seen - <<'SEEN'
nothing else open         duckdb new   sqlite new
one connection left open  duckdb old   sqlite new
after it was closed       duckdb new   sqlite new
SEEN
echo "as described"
