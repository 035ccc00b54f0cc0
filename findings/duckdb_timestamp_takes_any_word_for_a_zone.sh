#!/usr/bin/env bash
# DuckDB 2.0.0: try_cast to TIMESTAMP does not validate a text: it drops one word after the time as if it were a zone.
#
# '2021-01-05 10:00:00 postponed' and '… maybe' become 10:00, even with try_cast, which returns NULL for other invalid
# text such as two words. DuckDB does not look the name up. So it also drops a zone that exists ('Europe/Berlin'), and
# the instant is an hour off.
#
# The cast to TIMESTAMPTZ does look the name up: it refuses the words and converts Berlin. But it also takes a numeric
# offset after a blank for a name, although PostgreSQL accepts this form and some senders write it. So it refuses
# '2021-01-05 10:00:00 +02', which the cast to TIMESTAMP reads as 10:00, without the offset. Neither cast can tell all
# four cases apart.
#
# Seen with duckdb 2.0.0, TimeZone = 'UTC' (text, as timestamp, as timestamptz):
#   2021-01-05 10:00:00+02              10:00   08:00
#   2021-01-05 10:00:00 +02             10:00   none
#   2021-01-05 10:00:00 Europe/Berlin   10:00   09:00
#   2021-01-05 10:00:00 postponed       10:00   none
#   2021-01-05 10:00:00 not sure        none    none
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==2.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb

duckdb.execute("set TimeZone = 'UTC'")
expected = {
    "2021-01-05 10:00:00+02": ("10:00", "08:00"),
    "2021-01-05 10:00:00 +02": ("10:00", None),
    "2021-01-05 10:00:00 Europe/Berlin": ("10:00", "09:00"),
    "2021-01-05 10:00:00 postponed": ("10:00", None),
    "2021-01-05 10:00:00 not sure": (None, None),
}
query = "select strftime(cast(try_cast($1 as {}) as timestamp), '%H:%M')"
for text, both in expected.items():
    found = tuple(duckdb.execute(query.format(kind), [text]).fetchone()[0] for kind in ("timestamp", "timestamptz"))
    print(f"{text:<36}{found[0] or 'none':<8}{found[1] or 'none'}")
    assert found == both, f"expected {both}, found {found}: this has changed"
PYTHON
