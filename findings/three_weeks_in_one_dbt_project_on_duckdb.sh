#!/usr/bin/env bash
# dbt-duckdb 1.11.1: dbt.date_trunc and dbt.datediff disagree on where a week begins, and DuckDB's date_diff sees none.
#
# On DuckDB, dbt.date_trunc('week', …) is DuckDB's own, whose weeks begin on Monday. dbt.datediff(…, 'week') of
# dbt-duckdb counts the Sundays between two dates. DuckDB's date_diff('week', …) counts whole spans of seven days,
# though for months, quarters and years it counts the boundaries that lie between. So a model that groups activity by
# dbt.date_trunc and numbers the weeks since sign-up by dbt.datediff puts a week of one person into two rows, and the
# Sunday of each week belongs to the next week's number.
#
# Seen with dbt-core 1.11.16, dbt-duckdb 1.11.1, duckdb 2.0.0 (weeks between two dates, by each way of counting):
#   Saturday to Sunday:   date_trunc 0, dbt.datediff 1, date_diff 0
#   Sunday to Monday:     date_trunc 1, dbt.datediff 0, date_diff 0
#   Saturday to Monday:   date_trunc 1, dbt.datediff 1, date_diff 0
#   Monday to Sunday:     date_trunc 0, dbt.datediff 1, date_diff 0
#   and DuckDB's date_diff of a month and a year, one day apart over their end: 1, 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dbt-core==1.11.16 dbt-duckdb==1.11.1 duckdb==2.0.0
cd "$folder"
mkdir models
printf "name: weeks\nversion: '1.0'\nprofile: weeks\n" > dbt_project.yml
printf "weeks:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: weeks.duckdb}\n" > profiles.yml
cat > models/weeks.sql <<'SQL'
with pairs as (
    select * from (values
        (1, date '2024-01-06', date '2024-01-07'),
        (2, date '2024-01-07', date '2024-01-08'),
        (3, date '2024-01-06', date '2024-01-08'),
        (4, date '2024-01-01', date '2024-01-07')
    ) as pair (number, first_day, last_day)
)

select
    number,
    dayname(first_day) || ' to ' || dayname(last_day) as days,
    date_diff('day', {{ dbt.date_trunc('week', 'first_day') }}, {{ dbt.date_trunc('week', 'last_day') }})
        // 7 as truncated,
    {{ dbt.datediff('first_day', 'last_day', 'week') }} as counted,
    date_diff('week', first_day, last_day) as spans
from pairs
SQL
venv/bin/dbt build --quiet
cat > look.py <<'PYTHON'
import duckdb

connection = duckdb.connect("weeks.duckdb")
for days, *counts in connection.execute("select * exclude (number) from weeks order by number").fetchall():
    print("{:<22}date_trunc {}, dbt.datediff {}, date_diff {}".format(f"{days}:", *counts))
month, year = connection.execute("""
    select
        date_diff('month', date '2024-01-31', date '2024-02-01'),
        date_diff('year', date '2023-12-31', date '2024-01-01')
""").fetchone()
print(f"and DuckDB's date_diff of a month and a year, one day apart over their end: {month}, {year}")
PYTHON
found=$(venv/bin/python look.py)
echo "$found"
expected="Saturday to Sunday:   date_trunc 0, dbt.datediff 1, date_diff 0
Sunday to Monday:     date_trunc 1, dbt.datediff 0, date_diff 0
Saturday to Monday:   date_trunc 1, dbt.datediff 1, date_diff 0
Monday to Sunday:     date_trunc 0, dbt.datediff 1, date_diff 0
and DuckDB's date_diff of a month and a year, one day apart over their end: 1, 1"
[ "$found" = "$expected" ] || { echo "this has changed"; exit 1; }
