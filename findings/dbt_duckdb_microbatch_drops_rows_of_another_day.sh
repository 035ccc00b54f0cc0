#!/usr/bin/env bash
# dbt-duckdb 1.11.1: a microbatch model loses the rows that it gives to another day than the one they were read for.
#
# A batch reads the rows of its input whose event time lies in the batch. dbt-duckdb then inserts only those rows of the
# result whose own event time lies in the batch too. A model that derives its day (the local day of an instant in UTC,
# the day on which a session began) moves some rows over the edge. Such a row is dropped in its own batch, and no other
# batch reads it. The run ends with SUCCESS and no warning, in any order and however often the batches are run again. As
# a table, the same SQL has all rows. So a microbatch model must keep the event time of its input, and the day that it
# derives belongs into the model after it.
#
# Seen with dbt-core 1.11.16, dbt-duckdb 1.11.1, duckdb 2.0.0, for four events, one of them at 23:30:
#   as a table:                4 events
#   both batches in one run:   3 events
#   each batch once more:      3 events
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dbt-core==1.11.16 dbt-duckdb==1.11.1 duckdb==2.0.0
cd "$folder"
mkdir models
printf "name: days\nversion: '1.0'\nprofile: days\n" > dbt_project.yml
printf "days:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: days.duckdb}\n" > profiles.yml
cat > models/events.sql <<'SQL'
{{ config(materialized = 'table', event_time = 'occurred_at') }}
select *
from (values
    (1, timestamp '2024-01-01 01:00:00'),
    (2, timestamp '2024-01-01 23:30:00'),
    (3, timestamp '2024-01-02 02:00:00'),
    (4, timestamp '2024-01-02 12:00:00')
) as event (event_id, occurred_at)
SQL
cat > models/as_table.sql <<'SQL'
{{ config(materialized = 'table') }}
select event_id, cast(occurred_at + interval 1 hour as date) as local_day from {{ ref('events') }}
SQL
cat > models/by_batch.sql <<'SQL'
{{
    config(
        materialized = 'incremental', incremental_strategy = 'microbatch',
        event_time = 'local_day', batch_size = 'day', begin = '2024-01-01', lookback = 0,
    )
}}
select event_id, cast(occurred_at + interval 1 hour as date) as local_day from {{ ref('events') }}
SQL
days() {
    venv/bin/dbt run --quiet --event-time-start "$1" --event-time-end "$2"
}
count() {
    venv/bin/python -c "import duckdb; print(duckdb.connect('days.duckdb').execute('$1').fetchone()[0])"
}
days 2024-01-01 2024-01-03
found="as a table: $(count 'select count(*) from as_table')
both batches in one run: $(count 'select count(*) from by_batch')"
days 2024-01-02 2024-01-03
days 2024-01-01 2024-01-02
found="$found
each batch once more: $(count 'select count(*) from by_batch')"
echo "$found"
expected="as a table: 4
both batches in one run: 3
each batch once more: 3"
[ "$found" = "$expected" ] || { echo "this has changed"; exit 1; }
