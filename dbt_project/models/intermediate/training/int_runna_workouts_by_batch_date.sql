{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_by_batch_date',
        changed_key = 'batch_date',
    )
}}

-- Thousands of users may run a workout every day. The newest file of each batch, and the newest
-- file that lists the steps, are enough to find the newest of all batches.
with

activities as (

    select
        *,
        steps_md5 is not null as has_steps

    from {{ ref('int_runna_activities_by_batch_date') }}
    {% if is_incremental() %}
        where batch_date in {{ changed_keys() }}
    {% endif %}

),

numbered_newest_first as (

    select
        *,
        row_number() over (
            partition by workout_id, batch_date
            order by source_path desc
        ) as position_from_newest,
        row_number() over (
            partition by workout_id, batch_date, has_steps
            order by source_path desc
        ) as position_from_newest_of_its_kind

    from activities
    where
        is_in_lake
        and workout_id is not null

),

newest_with_steps as (

    select * from numbered_newest_first
    where
        has_steps
        and position_from_newest_of_its_kind = 1

),

newest_of_batch as (

    select
        newest.workout_id,
        newest.batch_date,
        newest.workout_type,
        newest.run_type,
        newest.workout_distance,
        newest.unit_of_measure,
        newest_with_steps.activity_id as steps_activity_id,
        newest_with_steps.source_path as steps_source_path,
        newest_with_steps.steps_md5,
        newest_with_steps.step_count

    from numbered_newest_first as newest
    left join newest_with_steps
        on
            newest.workout_id = newest_with_steps.workout_id
            and newest.batch_date = newest_with_steps.batch_date
    where newest.position_from_newest = 1

)

select * from newest_of_batch
