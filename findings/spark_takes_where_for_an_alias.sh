#!/usr/bin/env bash
# Apache Spark 4.3.0, default settings: a filter that is one boolean column in parentheses filters nothing.
#
# `select * from orders where (paid)` returns the orders that are not paid, too. `where` is no reserved word, so the
# shortest reading wins: a table with the alias `where`, whose columns are renamed to `(paid)`. It is silent if the table
# has one column. With more columns it is an error that speaks of 2 columns and 1 source expression, so `where (false)`,
# which programs that put SQL together write, fails too. An alias before it, no parentheses, or anything after them that
# no alias allows make it a filter again. So does `spark.sql.ansi.enforceReservedKeywords`, which is off by default, and
# has no effect in a session that turned ANSI mode off. DuckDB, SQLite and PostgreSQL filter in every case.
#
# Seen, of one row that is paid and one that is not:
#   where paid                     1
#   where (paid)                   2
#   as o where (paid)              1
#   where (paid) and true          1
#   where (paid), reserved words   1
#   two columns, where (paid)      ASSIGNMENT_ARITY_MISMATCH
# Needs Java 17.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyspark==4.3.0
cd "$folder"
cat > filter.py <<'PYTHON'
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
spark.sql("create temporary view orders as select * from values (true), (false) as t (paid)")
spark.sql("create temporary view bills as select * from values (1, true), (2, false) as t (bill, paid)")


def rows(query):
    try:
        return len(spark.sql(f"select * from {query}").collect())
    except AnalysisException as error:
        return error.getCondition()


print(f"where paid                     {rows('orders where paid')}")
print(f"where (paid)                   {rows('orders where (paid)')}")
print(f"as o where (paid)              {rows('orders as o where (paid)')}")
print(f"where (paid) and true          {rows('orders where (paid) and true')}")
spark.conf.set("spark.sql.ansi.enforceReservedKeywords", "true")
print(f"where (paid), reserved words   {rows('orders where (paid)')}")
spark.conf.set("spark.sql.ansi.enforceReservedKeywords", "false")
print(f"two columns, where (paid)      {rows('bills where (paid)')}")
PYTHON
"$folder/venv/bin/python" filter.py 2>log | tee seen
diff seen - <<'SEEN'
where paid                     1
where (paid)                   2
as o where (paid)              1
where (paid) and true          1
where (paid), reserved words   1
two columns, where (paid)      ASSIGNMENT_ARITY_MISMATCH
SEEN
echo "as described"
