{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_by_batch_date',
        changed_key = 'plan_id',
    )
}}

-- depends_on: {{ ref('int_runna_activities_by_batch_date') }}
with

plans_by_batch_date as (

    select * from {{ ref('int_runna_plans_by_batch_date') }}
    {% if is_incremental() %}
        where plan_id in {{ changed_keys() }}
    {% endif %}

),

numbered_newest_first as (

    select
        *,
        row_number() over (
            partition by plan_id
            order by batch_date desc
        ) as position_from_newest

    from plans_by_batch_date

),

plans as (

    select
        cast(plan_id as string) as plan_id,
        cast(plan_length_weeks as bigint) as plan_length_weeks

    from numbered_newest_first
    where position_from_newest = 1

)

select * from plans
