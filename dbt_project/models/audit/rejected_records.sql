{{ config(materialized = 'view') }}

-- Earlier versions kept raw texts, raw headers, and messages that quote them: these stay in the
-- lake. Only their records have no `record`.
select
    source,
    dataset,
    source_path,
    position,
    record as raw_text,
    reason_code,
    run_id,
    quarantined_at,
    first_quarantined_at,
    case when record is not null then header end as header, -- noqa: RF04
    case when record is not null then has_pseudonyms end as has_pseudonyms,
    case
        when raw_text is not null then 'raw_text'
        when record_hash is not null and contains(source_path, '/') then 'landing_file'
        else 'nothing'
    end as rebuilt_from,
    case
        when record is not null then message
        else 'the message may quote personal data: the version before 0.3.0 left it in the lake'
    end as message,
    nullif(day, date '1970-01-01') as partition_date

from {{ source('records', 'rejected') }}
