#!/usr/bin/env bash
# Altair 6.3.0 imports several times slower once cyclonedx-bom 7.5.0 is installed beside it, though neither names the
# other.
#
# Altair imports jsonschema. cyclonedx-bom asks for jsonschema with the extra `format-nongpl`, which brings rfc3987-syntax
# 1.1.0. jsonschema 4.26.0 imports that package as soon as it is there, and importing it has lark build some 40 parsers
# of one grammar of addresses, one per rule. So each process of the environment that imports Altair, or anything else
# that imports jsonschema, pays for a check of addresses that it never makes. Nothing warns of it.
#
# Seen (CPU seconds of `import altair`, medians of 5):
#   before: 0.61, lark imported: False
#   after: 2.90, lark imported: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet "altair==6.3.0" "jsonschema==4.26.0"
cat > measure.py <<'PYTHON'
import resource
import statistics
import subprocess
import sys

CODE = "import altair, sys; print('lark' in sys.modules)"
seconds = []
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout.strip()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds.append(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime)
# The first one compiles.
print(f"{statistics.median(seconds[1:]):.2f} {found}")
PYTHON
read -r before lark_before < <(venv/bin/python measure.py)
venv/bin/pip install --quiet "cyclonedx-bom==7.5.0" "jsonschema[format-nongpl]==4.26.0" "rfc3987-syntax==1.1.0" "lark==1.3.1"
read -r after lark_after < <(venv/bin/python measure.py)
echo "before: $before, lark imported: $lark_before"
echo "after: $after, lark imported: $lark_after"
[ "$lark_before" = False ] && [ "$lark_after" = True ]
python3 -c "import sys; sys.exit(not float('$after') > 2 * float('$before'))"
