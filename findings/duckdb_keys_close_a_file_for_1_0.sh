#!/usr/bin/env bash
# DuckDB 2.0.1 (Python): a file with a primary key, written with STORAGE_VERSION 'v1.0.0', cannot be opened by 1.0.0.
#
# The option is there so that older versions can read the file. Tables without keys they do read, with their comments,
# NOT NULL and CHECK. With one PRIMARY KEY, UNIQUE or CREATE INDEX, even on an empty table, 1.0.0 refuses the whole file:
# the tables without a key cannot be read either. Nothing says so when the file is written, and it still calls itself
# v1.0.0+. Version 1.1.3 reads keys, but refuses a file with CREATE INDEX; 1.2.2 reads all of them.
#
# So whoever hands a file to older drivers must leave keys and indexes out, and tell the keys in another way.
#
# Seen:
#   file       1.0.0    1.1.3    1.2.2    what the file calls itself
#   no_key     read     read     read     v1.0.0+
#   not_null   read     read     read     v1.0.0+
#   primary    refused  read     read     v1.0.0+
#   unique     refused  read     read     v1.0.0+
#   index      refused  refused  read     v1.0.0+
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 1.0.0 1.1.3 1.2.2 2.0.1; do
    python3 -m venv "$version"
    "$version/bin/pip" install --quiet --no-deps "duckdb==$version"
done
cat > write.py <<'PYTHON'
import duckdb

for name, table in {
    "no_key": "create table file.tables (a bigint)",
    "not_null": "create table file.tables (a bigint not null check (a > 0))",
    "primary": "create table file.tables (a bigint primary key)",
    "unique": "create table file.tables (a bigint unique)",
    "index": "create table file.tables (a bigint); create index a on file.tables (a)",
}.items():
    with duckdb.connect() as connection:
        connection.execute(f"attach '{name}.duckdb' as file (storage_version 'v1.0.0')")
        connection.execute("create table file.others as select 7 as answer")
        connection.execute(table)
PYTHON
cat > read.py <<'PYTHON'
import sys

import duckdb

try:
    with duckdb.connect(f"{sys.argv[1]}.duckdb", read_only=True) as connection:
        assert connection.execute("select answer from others").fetchall() == [(7,)]
    print("read", end="")
except duckdb.Error:
    print("refused", end="")
PYTHON
cat > version.py <<'PYTHON'
import sys

import duckdb

with duckdb.connect(f"{sys.argv[1]}.duckdb", read_only=True) as connection:
    tags = "select tags['storage_version'] from duckdb_databases() where not internal"
    print(connection.execute(tags).fetchone()[0], end="")
PYTHON
2.0.1/bin/python write.py
{
    printf '%-10s %-8s %-8s %-8s %s\n' file 1.0.0 1.1.3 1.2.2 'what the file calls itself'
    for name in no_key not_null primary unique index; do
        printf '%-10s %-8s %-8s %-8s %s\n' "$name" "$(1.0.0/bin/python read.py "$name")" \
            "$(1.1.3/bin/python read.py "$name")" "$(1.2.2/bin/python read.py "$name")" \
            "$(2.0.1/bin/python version.py "$name")"
    done
} | tee seen
diff seen - <<'SEEN'
file       1.0.0    1.1.3    1.2.2    what the file calls itself
no_key     read     read     read     v1.0.0+
not_null   read     read     read     v1.0.0+
primary    refused  read     read     v1.0.0+
unique     refused  read     read     v1.0.0+
index      refused  refused  read     v1.0.0+
SEEN
echo "as described"
