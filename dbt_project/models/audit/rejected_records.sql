{{ config(materialized = 'view') }}

select
    source,
    dataset,
    source_path,
    position,
    raw_text,
    header,
    has_pseudonyms,
    reason_code,
    message,
    run_id,
    quarantined_at,
    first_quarantined_at,
    nullif(day, date '1970-01-01') as partition_date

from {{ source('records', 'rejected') }}
