#!/usr/bin/env bash
# msgspec 0.22.0 rounds the decimals of a second that a datetime cannot hold; its neighbours in a pipeline cut them off.
#
# Services on .NET and Java send seven or nine decimals of a second. A Python datetime and DuckDB's TIMESTAMP hold six.
# msgspec rounds to the nearest microsecond, and carries: the last half microsecond of a month becomes the first instant
# of the next one. CPython, pydantic and DuckDB cut, as does pandas when it leaves nanoseconds. So one event has two
# days where two of these read it, and counts per day of a raw and a typed copy disagree. Cutting never leaves the day
# that stands in the text.
#
# Seen with msgspec 0.22.0, pydantic 2.14.3, duckdb 2.0.0, pandas 3.1.1, CPython 3.11.7
# for 2024-01-31T23:59:59.9999996Z:
#   msgspec   2024-02-01T00:00:00+00:00
#   cpython   2024-01-31T23:59:59.999999+00:00
#   pydantic  2024-01-31T23:59:59.999999+00:00
#   duckdb    2024-01-31T23:59:59.999999
#   pandas    2024-01-31T23:59:59.999999+00:00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet msgspec==0.22.0 pydantic==2.14.3 duckdb==2.0.0 pandas==3.1.1
cd "$folder"
cat > look.py <<'PYTHON'
from datetime import datetime

import duckdb
import msgspec
import pandas
import pydantic

WRITTEN = "2024-01-31T23:59:59.9999996Z"

print("msgspec  ", msgspec.convert(WRITTEN, datetime).isoformat())
print("cpython  ", datetime.fromisoformat(WRITTEN).isoformat())
print("pydantic ", pydantic.TypeAdapter(datetime).validate_python(WRITTEN).isoformat())
print("duckdb   ", duckdb.execute("select cast(? as timestamp)", [WRITTEN]).fetchone()[0].isoformat())
print("pandas   ", pandas.Timestamp(WRITTEN).to_pydatetime(warn=False).isoformat())
PYTHON
found=$("$folder/venv/bin/python" look.py)
echo "$found"
expected="msgspec   2024-02-01T00:00:00+00:00
cpython   2024-01-31T23:59:59.999999+00:00
pydantic  2024-01-31T23:59:59.999999+00:00
duckdb    2024-01-31T23:59:59.999999
pandas    2024-01-31T23:59:59.999999+00:00"
[ "$found" = "$expected" ] || { echo "this has changed"; exit 1; }
