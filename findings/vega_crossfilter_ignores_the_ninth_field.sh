#!/usr/bin/env bash
# Vega 6.2.0: a crossfilter over nine or more fields filters by the first eight, and says nothing of the others.
#
# The documentation names no limit, and the source has bit arrays of 8, 16 and 32 bits, so a dashboard with a dozen
# filters looks safe. It is not: the range of the ninth field is accepted, takes no effect, and raises no error and no
# warning. The page shows rows that its user has filtered out. Which filter is lost depends on the order of `fields`
# alone: the same query works when its field comes first.
#
# Seen with vl-convert-python 1.9.0, which runs Vega 6.2.0. Two rows have the values 0 and 1 in each field; the range of
# one field is 0 to 0.5, that of the others 0 to 2. So one row is to be kept:
#   8 fields, the filtered one last   kept 1
#   9 fields, the filtered one last   kept 2
#   9 fields, the filtered one first  kept 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet vl-convert-python==1.9.0
cd "$folder"
cat > look.py <<'PYTHON'
import re

import vl_convert


def kept(fields):
    filters = {
        "type": "crossfilter",
        "signal": "filters",
        "fields": fields,
        "query": [[0, 0.5] if name == "filtered" else [0, 2] for name in fields],
    }
    resolved = {"type": "resolvefilter", "filter": {"signal": "filters"}, "ignore": 0}
    text = {"signal": "'kept ' + datum.count"}
    svg = vl_convert.vega_to_svg(
        {
            "$schema": "https://vega.github.io/schema/vega/v6.json",
            "data": [
                {"name": "rows", "values": [dict.fromkeys(fields, value) for value in (0, 1)], "transform": [filters]},
                {"name": "rest", "source": "rows", "transform": [resolved, {"type": "aggregate"}]},
            ],
            "marks": [{"type": "text", "from": {"data": "rest"}, "encode": {"enter": {"text": text}}}],
        }
    )
    return re.findall(r"kept \d+", svg)[0]


print("Vega", vl_convert.get_vega_version())
seven, eight = [f"field_{number}" for number in range(7)], [f"field_{number}" for number in range(8)]
print("8 fields, the filtered one last  ", kept([*seven, "filtered"]))
print("9 fields, the filtered one last  ", kept([*eight, "filtered"]))
print("9 fields, the filtered one first ", kept(["filtered", *eight]))
PYTHON
found=$("$folder/venv/bin/python" look.py)
echo "$found"
expected="Vega 6.2.0
8 fields, the filtered one last   kept 1
9 fields, the filtered one last   kept 2
9 fields, the filtered one first  kept 1"
[ "$found" = "$expected" ] || { echo "this has changed"; exit 1; }
