{{ config(materialized = 'view') }}

-- Earlier versions kept raw texts, raw headers, and messages that quote them: these stay in the
-- lake. Only their records have no `record`.
select
    rejected.source,
    rejected.dataset,
    rejected.source_path,
    rejected.position,
    rejected.record as raw_text,
    rejected.reason_code,
    rejected.run_id,
    rejected.quarantined_at,
    rejected.first_quarantined_at,
    case when rejected.record is not null then rejected.header end as header, -- noqa: RF04
    case when rejected.record is not null then rejected.has_pseudonyms end as has_pseudonyms,
    case
        when rejected.raw_text is not null then 'raw_text'
        when rejected.record_hash is not null and contains(rejected.source_path, '/')
            then 'landing_file'
        else 'nothing'
    end as rebuilt_from,
    case
        when rejected.record is not null then rejected.message
        else 'the message may quote personal data: the version before 0.3.0 left it in the lake'
    end as message,
    nullif(rejected.day, date '1970-01-01') as partition_date

from {{ source('records', 'rejected') }} as rejected
