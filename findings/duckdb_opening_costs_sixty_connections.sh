#!/usr/bin/env bash
# DuckDB 2.0.1 (Python): to open a database costs sixty times as much as another connection to one that is open, though
# it is empty and in memory; and twice as much as with DuckDB 1.2.2.
#
# "In process, like SQLite" suggests that `duckdb.connect()` is nearly free, so code and tests open one for each small
# question. What it costs is the new instance, not the connection: `duckdb.connect(":memory:name")`, while another
# connection to the same name is open, or a cursor, takes a sixtieth. A setting of one thread, or one that loads no
# extensions, makes no difference.
#
# Seen (CPU milliseconds of opening, `select 1` and closing; only the ratios matter):
#   version   a database of its own   another connection   SQLite
#   1.2.2     13.8                    0.45                 0.07
#   2.0.1     28.6                    0.48                 0.07
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/opening.py" <<'PYTHON'
import statistics
import sqlite3
import time

import duckdb


def milliseconds(connect):
    """CPU milliseconds of a connection with one query; the median of five rounds."""
    rounds = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(20):
            connection = connect()
            assert connection.execute("select 1").fetchall() == [(1,)]
            connection.close()
        rounds.append((time.process_time() - started) / 20 * 1000)
    return statistics.median(rounds)


kept = duckdb.connect(":memory:kept")
own = milliseconds(duckdb.connect)
another = milliseconds(lambda: duckdb.connect(":memory:kept"))
sqlite = milliseconds(lambda: sqlite3.connect(":memory:"))
print(duckdb.__version__, round(own, 2), round(another, 3), round(sqlite, 3))
PYTHON
for version in 1.2.2 2.0.1; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet "duckdb==$version"
    "$folder/$version/bin/python" "$folder/opening.py" | tee -a "$folder/seen"
done
python3 - "$folder/seen" <<'PYTHON'
import sys

rows = [line.split() for line in open(sys.argv[1])]
old, new = ([float(value) for value in row[1:]] for row in rows)
assert new[0] > 20 * new[1], f"opening a database costs {new[0] / new[1]:.0f} times another connection"
assert new[0] > 1.4 * old[0], f"2.0.1 needs {new[0] / old[0]:.2f} times what 1.2.2 needs"
print(f"own/another {new[0] / new[1]:.0f}, 2.0.1/1.2.2 {new[0] / old[0]:.2f}, own/SQLite {new[0] / new[2]:.0f}")
PYTHON
