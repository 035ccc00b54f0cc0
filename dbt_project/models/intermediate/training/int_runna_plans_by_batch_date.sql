{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_by_batch_date',
        changed_key = 'batch_date',
    )
}}

-- Thousands of users may follow a plan every day. The newest file of each batch is enough to find
-- the newest of all batches, without reading every file that ever named the plan.
with

activities as (

    select * from {{ ref('int_runna_activities_by_batch_date') }}
    {% if is_incremental() %}
        where batch_date in {{ changed_keys() }}
    {% endif %}

),

numbered_newest_first as (

    select
        *,
        row_number() over (
            partition by plan_id, batch_date
            order by source_path desc
        ) as position_from_newest

    from activities
    where
        is_in_lake
        and plan_id is not null

),

newest_of_batch as (

    select
        plan_id,
        batch_date,
        plan_length_weeks

    from numbered_newest_first
    where position_from_newest = 1

)

select * from newest_of_batch
