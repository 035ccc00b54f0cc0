{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_by_batch_date',
        changed_key = 'workout_id',
    )
}}

-- depends_on: {{ ref('int_runna_activities_by_batch_date') }}
-- Says which file has the steps of each workout. `change_number` grows only when the steps change,
-- so that a workout that is run every day does not rebuild everything about its runners.
with

workouts_by_batch_date as (

    select * from {{ ref('int_runna_workouts_by_batch_date') }}
    {% if is_incremental() %}
        where workout_id in {{ changed_keys() }}
    {% endif %}

),

-- Files without steps come last: they do not say what the steps are.
numbered_newest_first as (

    select
        *,
        row_number() over (
            partition by workout_id
            order by
                case when steps_md5 is null then 1 else 0 end,
                batch_date desc
        ) as position_from_newest

    from workouts_by_batch_date

),

latest as (

    select
        workout_id,
        steps_activity_id,
        steps_source_path,
        steps_md5,
        step_count,
        case when steps_md5 is not null then batch_date end as steps_batch_date

    from numbered_newest_first
    where position_from_newest = 1

)

select
    latest.workout_id,
    latest.steps_activity_id,
    latest.steps_batch_date,
    latest.steps_source_path,
    latest.steps_md5,
    latest.step_count,
    {% if is_incremental() %}
        coalesce(previous.change_number, {{ next_change_number() }}) as change_number
    {% else %}
        {{ next_change_number() }} as change_number
    {% endif %}

from latest
{% if is_incremental() %}
    left join {{ this }} as previous
        on
            latest.workout_id = previous.workout_id
            and coalesce(latest.steps_md5, 'none') = coalesce(previous.steps_md5, 'none')
{% endif %}
