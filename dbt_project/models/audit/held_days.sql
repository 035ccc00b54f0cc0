{{ config(materialized = 'view') }}

select
    source,
    dataset,
    load_id,
    run_id,
    failed_checks,
    reason,
    unknown_fields,
    files,
    bytes,
    records_read,
    accepted,
    quarantined,
    duplicates,
    erased,
    rows_in_day,
    held_at,
    held_since,
    nullif(day, date '1970-01-01') as partition_date

from {{ source('records', 'held') }}
