#!/usr/bin/env bash
# dbt-core 1.11.16 with dbt-duckdb 1.11.1: for each table that it builds, dbt makes an object of every macro that is
# installed, four times over, though the table's SQL calls none.
#
# Macros are compiled once and kept, so one would expect that a node only looks up those that it calls, and that a
# project pays for macros that it uses. But each Jinja context begins with a namespace in which every macro is bound to
# that context: one to compile the node, one to run it, and one for each macro that the adapter calls in between, such
# as to rename a relation (a table that is replaced has a fifth). An empty project has 511 macros. Each package that is installed adds its own to all of these.
#
# Seen (counts, and CPU seconds of `dbt run`):
#   tables   namespaces   objects   seconds   of them to make namespaces
#   1        8            4,089     0.97      0.02
#   41       168          85,889    3.50      0.39
# So a table costs 4 namespaces and 2,045 objects, which is a seventh of what it takes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dbt-core==1.11.16 dbt-duckdb==1.11.1 dbt-adapters==1.24.5 dbt-common==1.39.0 \
    duckdb==2.0.1
mkdir -p "$folder/project/models"
cd "$folder/project"
cat > dbt_project.yml <<'YAML'
name: shop
version: "1.0"
profile: shop
models:
  +materialized: table
YAML
cat > profiles.yml <<'YAML'
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: shop.duckdb}
YAML
cat > "$folder/count.py" <<'PYTHON'
import sys
import time
from collections import Counter
from pathlib import Path

from dbt.cli.main import dbtRunner
from dbt.clients.jinja import MacroGenerator
from dbt.context.macros import MacroNamespaceBuilder

made, seconds = Counter(), 0.0
build_namespace, begin = MacroNamespaceBuilder.build_namespace, MacroGenerator.__init__


def count_object(self, *arguments, **named):
    made["objects"] += 1
    begin(self, *arguments, **named)


def time_namespace(self, macros_by_package, context):
    global seconds
    made["namespaces"] += 1
    started = time.thread_time()
    try:
        return build_namespace(self, macros_by_package, context)
    finally:
        seconds += time.thread_time() - started


def run(*arguments):
    result = dbtRunner().invoke([*arguments, "--quiet"])
    assert result.success, result.exception


tables = int(sys.argv[1])
for number in range(tables):
    Path(f"models/table_{number}.sql").write_text(f"select {number} as number")
run("parse")
MacroNamespaceBuilder.build_namespace, MacroGenerator.__init__ = time_namespace, count_object
started = time.process_time()
run("run")
print(tables, made["namespaces"], made["objects"], round(time.process_time() - started, 2), round(seconds, 2))
PYTHON
for tables in 1 41; do
    rm -f shop.duckdb
    "$folder/venv/bin/python" "$folder/count.py" $tables | tail -1 | tee -a "$folder/seen"
done
python3 - "$folder/seen" <<'PYTHON'
import sys

few, many = ([float(value) for value in line.split()] for line in open(sys.argv[1]))
tables, namespaces, objects, seconds, of_them = (more - less for more, less in zip(many, few))
print(f"a table: {namespaces / tables} namespaces, {objects / tables} objects, {of_them / seconds:.0%} of its time")
assert namespaces == 4 * tables, namespaces
assert objects > 2000 * tables, objects
assert of_them > 0.05 * seconds, (of_them, seconds)
PYTHON
