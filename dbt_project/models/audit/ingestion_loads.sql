{{ config(materialized = 'view') }}

select
    load_id,
    run_id,
    source,
    dataset,
    partition_date,
    status,
    failed_checks,
    unknown_fields,
    files,
    bytes,
    records_read,
    accepted,
    quarantined,
    duplicates,
    erased,
    rows_in_day,
    seconds,
    loaded_at,
    release_reason,
    pseudonym_key_fingerprint,
    day as loaded_on

from {{ source('records', 'loads') }}
