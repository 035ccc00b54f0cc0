#!/usr/bin/env bash
# dagster-duckdb 0.29.27: DuckDBResource.get_connection() waits 102 seconds before it says that a database is locked.
#
# DuckDB allows one process to write to a database file, and reports at once that another process has it open. The
# resource catches this IOException and tries again ten times, with pauses that double from 0.1 to 51.2 seconds. It logs
# nothing meanwhile, and no setting of the resource changes the number of tries. It treats every IOException alike: one
# about a folder that does not exist, which no pause can heal, waits just as long.
#
# Seen with dagster-duckdb 0.29.27, dagster 1.13.27, duckdb 2.0.0, CPython 3.11.7 (the pauses are recorded, not waited):
#   duckdb.connect, locked file:           0 pauses, IOException
#   get_connection, locked file:          10 pauses, 102.3 s, IOException
#   get_connection, folder is missing:    10 pauses, 102.3 s, IOException
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dagster==1.13.27 dagster-duckdb==0.29.27 duckdb==2.0.0
cd "$folder"
cat > look.py <<'PYTHON'
import subprocess
import sys
from unittest.mock import patch

import duckdb
from dagster_duckdb import DuckDBResource

HOLD = "import duckdb; connection = duckdb.connect('locked.duckdb'); print('open', flush=True); input()"


def by_resource(path):
    with DuckDBResource(database=path).get_connection():
        pass


def look(what, connect, path):
    pauses = []
    with patch("time.sleep", pauses.append):
        try:
            connect(path)
            outcome = "connected"
        except duckdb.IOException:
            outcome = "IOException"
    waited = f", {sum(pauses):.1f} s" if pauses else ""
    print(f"{what}: {len(pauses)} pauses{waited}, {outcome}")


holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
assert holder.stdout.readline() == "open\n"
look("duckdb.connect, locked file", duckdb.connect, "locked.duckdb")
look("get_connection, locked file", by_resource, "locked.duckdb")
holder.communicate("\n")
look("get_connection, folder is missing", by_resource, "missing/warehouse.duckdb")
PYTHON
found=$("$folder/venv/bin/python" look.py)
echo "$found"
expected="duckdb.connect, locked file: 0 pauses, IOException
get_connection, locked file: 10 pauses, 102.3 s, IOException
get_connection, folder is missing: 10 pauses, 102.3 s, IOException"
[ "$found" = "$expected" ] || { echo "this has changed"; exit 1; }
