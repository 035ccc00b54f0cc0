{{ config(materialized = 'view') }}

select
    request,
    source,
    kind,
    state,
    requested_at,
    finished_at,
    max(records_erased) as records_erased,
    count(person_hash) as persons,
    count(case when was_found then 1 end) as persons_found

from {{ source('records', 'erasures') }}
group by
    request,
    source,
    kind,
    state,
    requested_at,
    finished_at
