#!/usr/bin/env bash
# DuckDB 2.0.1 (Python): a name with a schema, or with a database and a schema, reads a Python variable if there is no
# such table.
#
# `from orders` may read a variable of that name: that is documented, and wanted. A name such as `sales.orders` looks like
# the way to say "the table, and nothing else". It is not: if the table is missing, its last part alone is looked for among
# the variables of the caller, even if neither the schema nor the database exists. So a query over a table that was
# renamed, or that has not been built yet, answers from whatever frame of data is at hand, without an error. If the
# variable is no data, such as a function, the error is about its type and not about the missing table. The setting
# `python_enable_replacements = false` gives the usual error.
#
# Seen:
#   from orders                  [(1,), (2,)]
#   from sales.orders            [(1,), (2,)]
#   from nowhere.sales.orders    [(1,), (2,)]
#   from sales.customers         InvalidInputException
#   without replacements         CatalogException
#   with the table               []
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==2.0.1 pyarrow==25.0.0
cat > "$folder/names.py" <<'PYTHON'
import duckdb
import pyarrow

orders = pyarrow.table({"id": [1, 2]})


def customers():
    """A function that has the name of a table."""


def answer(connection, query):
    try:
        return connection.execute(query).fetchall()
    except duckdb.Error as error:
        return type(error).__name__


connection = duckdb.connect()
connection.execute("create schema sales")
for query in ("from orders", "from sales.orders", "from nowhere.sales.orders", "from sales.customers"):
    print(f"{query:<28} {answer(connection, query)}")
strict = duckdb.connect()
strict.execute("set python_enable_replacements = false")
strict.execute("create schema sales")
print(f"{'without replacements':<28} {answer(strict, 'from sales.orders')}")
connection.execute("create table sales.orders (id integer)")
print(f"{'with the table':<28} {answer(connection, 'from sales.orders')}")
PYTHON
"$folder/venv/bin/python" "$folder/names.py" | tee "$folder/seen"
diff "$folder/seen" <(sed -n '/^# Seen:/,/^set /s/^#   //p' "$0")
