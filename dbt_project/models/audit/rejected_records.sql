{{ config(materialized = 'view') }}

-- Earlier versions kept raw texts, raw headers, and messages that quote them: these stay in the lake.
select
    source,
    dataset,
    source_path,
    position,
    record as raw_text,
    case when record is not null then header end as header,
    case when record is not null then has_pseudonyms end as has_pseudonyms,
    case
        when raw_text is not null then 'raw_text'
        when record_hash is null then 'nothing'
        when contains(source_path, '/') then 'landing_file'
        else 'nothing'
    end as rebuilt_from,
    reason_code,
    case
        when record is not null then message
        else 'the message is in the lake alone: an earlier version wrote it, and it may quote personal data'
    end as message,
    run_id,
    quarantined_at,
    first_quarantined_at,
    nullif(day, date '1970-01-01') as partition_date

from {{ source('records', 'rejected') }}
