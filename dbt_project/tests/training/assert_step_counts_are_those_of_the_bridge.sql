-- The bridge has as many steps of a workout as the count says. It has fewer where some steps were
-- rejected: then it has the steps that the lake holds of the file with the steps.
{% set workouts_that_differ %}
    select
        latest.workout_id,
        latest.steps_activity_id,
        latest.steps_batch_date,
        latest.steps_source_path,
        workouts.step_count as steps_counted,
        coalesce(in_bridge.step_count, 0) as steps_in_bridge

    from {{ ref('int_runna_workout_steps_latest') }} as latest
    inner join {{ ref('dim__workouts') }} as workouts on latest.workout_id = workouts.workout_id
    left join (
        select
            workout_id,
            count(*) as step_count

        from {{ ref('bdg__workout_to_steps') }}
        group by workout_id
    ) as in_bridge
        on latest.workout_id = in_bridge.workout_id
    where
        latest.steps_md5 is not null
        and workouts.step_count is distinct from coalesce(in_bridge.step_count, 0)
{% endset %}
{% set is_built = execute and load_relation(ref('dim__workouts')) is not none %}
with

workouts_that_differ as (

    {{ workouts_that_differ }}

),

steps_of_activities as (

    select * from {{ ref('stg_runna__workout_steps') }}
    where
        {% if is_built %}
            {{
                on_days_of(
                    'batch_date',
                    'select steps_batch_date from (' ~ workouts_that_differ ~ ')'
                )
            }}
        {% else %}
            false
        {% endif %}

),

steps_in_lake as (

    select
        workouts_that_differ.workout_id,
        count(*) as step_count

    from workouts_that_differ
    inner join steps_of_activities
        on
            workouts_that_differ.steps_activity_id = steps_of_activities.activity_id
            and workouts_that_differ.steps_batch_date = steps_of_activities.batch_date
            and workouts_that_differ.steps_source_path = steps_of_activities.source_path
    group by workouts_that_differ.workout_id

),

side_by_side as (

    select
        workouts_that_differ.workout_id,
        workouts_that_differ.steps_counted,
        workouts_that_differ.steps_in_bridge,
        coalesce(steps_in_lake.step_count, 0) as steps_in_lake

    from workouts_that_differ
    left join steps_in_lake on workouts_that_differ.workout_id = steps_in_lake.workout_id

)

select * from side_by_side
where
    steps_in_bridge > steps_counted
    or steps_in_bridge <> steps_in_lake
