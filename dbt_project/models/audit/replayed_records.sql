{{ config(materialized = 'view') }}

select
    load_id,
    run_id,
    source,
    dataset,
    partition_date,
    source_path,
    position,
    reason_code,
    became,
    accepted_on,
    first_quarantined_at,
    replayed_at

from {{ source('records', 'replayed') }}
