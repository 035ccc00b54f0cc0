#!/usr/bin/env bash
# DuckDB 1.4 to 2.0: an upsert whose rows share a key keeps the first of them and drops the others without a word.
#
# PostgreSQL refuses such a statement, and SQLite lets the last row win, as if the rows came one by one. DuckDB 1.0
# refused it. DuckDB 1.2 let the last row win, or refused when the rows came in several chunks. From 1.4 on the first
# row wins, whatever their number, in ON CONFLICT DO UPDATE as in INSERT OR REPLACE. An update that adds up, `v = t.v +
# excluded.v`, adds nothing of the second row. MERGE INTO is stricter: it refuses two rows that update one row of the
# table. So a batch that holds two versions of a record, old before new, leaves the old one in the table, and an upgrade
# of DuckDB turns the winner around.
#
# Seen with CPython 3.11.7 for rows (3, 1) and (3, 2) in one statement, and for 100,000 rows from (3, 0) to (3, 99999):
#   duckdb 1.2.2   two rows: 2   or replace: 2   added up: 2   100,000 rows: refused
#   duckdb 1.4.4   two rows: 1   or replace: 1   added up: 1   100,000 rows: 0
#   duckdb 2.0.0   two rows: 1   or replace: 1   added up: 1   100,000 rows: 0
#   sqlite3        two rows: 2   or replace: 2   added up: 3   100,000 rows: 99999
#   duckdb 2.0.0, merge into: refused
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.py <<'PYTHON'
import sqlite3

import duckdb

MANY = "with recursive r(i) as (select 0 union all select i + 1 from r where i < 99999)"
UPSERT = "on conflict (id) do update set v ="
STATEMENTS = {
    "two rows": f"insert into t values (3, 1), (3, 2) {UPSERT} excluded.v",
    "or replace": "insert or replace into t values (3, 1), (3, 2)",
    "added up": f"insert into t values (3, 1), (3, 2) {UPSERT} t.v + excluded.v",
    "100,000 rows": f"insert into t {{many}} where true {UPSERT} excluded.v",
}
MERGE = """
merge into t using (values (3, 1), (3, 2)) as s (id, v) on t.id = s.id when matched then update set v = s.v
"""


def look(connect, many, statement):
    connection = connect(":memory:")
    connection.execute("create table t (id integer primary key, v integer)")
    try:
        connection.execute(statement.format(many=many))
    except duckdb.Error:
        return "refused"
    return connection.execute("select v from t").fetchall()[0][0]


def line(name, connect, many):
    return f"{name:<15}" + "   ".join(f"{what}: {look(connect, many, text)}" for what, text in STATEMENTS.items())


print(line(f"duckdb {duckdb.__version__}", duckdb.connect, "select 3, i from range(100000) as r (i)"))
if duckdb.__version__ == "2.0.0":
    print(line("sqlite3", sqlite3.connect, f"select 3, i from ({MANY} select i from r)"))
    connection = duckdb.connect()
    connection.execute("create table t (id integer primary key, v integer)")
    connection.execute("insert into t values (3, 0)")
    try:
        connection.execute(MERGE)
    except duckdb.InvalidInputException:
        print("duckdb 2.0.0, merge into: refused")
PYTHON
found=$(for version in 1.2.2 1.4.4 2.0.0; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install --quiet "duckdb==$version"
    "venv-$version/bin/python" look.py
done)
echo "$found"
expected="duckdb 1.2.2   two rows: 2   or replace: 2   added up: 2   100,000 rows: refused
duckdb 1.4.4   two rows: 1   or replace: 1   added up: 1   100,000 rows: 0
duckdb 2.0.0   two rows: 1   or replace: 1   added up: 1   100,000 rows: 0
sqlite3        two rows: 2   or replace: 2   added up: 3   100,000 rows: 99999
duckdb 2.0.0, merge into: refused"
[ "$found" = "$expected" ] || { echo "this has changed"; exit 1; }
