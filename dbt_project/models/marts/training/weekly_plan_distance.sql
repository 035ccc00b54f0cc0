{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        change_log = 'int_runna_activities_changed',
        changed_key = '(user_id, plan_id)',
        changed_key_in_log = 'user_id, plan_id',
    )
}}

-- depends_on: {{ ref('int_runna_activities_changed') }}
with

activities as (

    select
        *,
        -- Whole nanometres, so that the sums do not depend on the order of the rows.
        cast({{ fixed_point('workout_distance', 6) }} as decimal(19, 0))
        * {{ millimetres_per_unit('unit_of_measure') }} as workout_distance_nm

    from {{ ref('int_runna_activities_latest') }}
    {% if is_incremental() %}
        where (user_id, plan_id) in {{ changed_keys() }}
    {% endif %}

),

numbered_within_workout as (

    select
        *,
        {{ position_in_planned_workout(last='workout_distance_nm is null') }} as position_in_workout

    from activities
    where
        plan_id is not null
        and week_of_plan is not null

),

weeks as (

    select
        user_id,
        plan_id,
        week_of_plan,
        count(*) as activity_count,
        count(case when position_in_workout = 1 then 1 end) as workout_count,
        sum(case when position_in_workout = 1 then workout_distance_nm end) as workout_distance_nm

    from numbered_within_workout
    group by
        user_id,
        plan_id,
        week_of_plan

),

weeks_beside_previous as (

    select
        weeks.user_id,
        weeks.plan_id,
        weeks.week_of_plan,
        weeks.activity_count,
        weeks.workout_count,
        weeks.workout_distance_nm,
        previous_weeks.workout_distance_nm as previous_week_workout_distance_nm,
        weeks.workout_distance_nm
        - previous_weeks.workout_distance_nm as workout_distance_difference_nm

    from weeks
    left join weeks as previous_weeks
        on
            weeks.user_id = previous_weeks.user_id
            and weeks.plan_id = previous_weeks.plan_id
            and weeks.week_of_plan = previous_weeks.week_of_plan + 1

),

final as (

    select
        ---------- ids
        cast(user_id as string) as user_id,
        cast(plan_id as string) as plan_id,

        ---------- numerics
        cast(week_of_plan as bigint) as week_of_plan,
        cast(activity_count as bigint) as activity_count,
        cast(workout_count as bigint) as workout_count,
        cast(workout_distance_nm as double) / 1e9 as workout_distance_m,
        cast(previous_week_workout_distance_nm as double) / 1e9 as previous_week_workout_distance_m,
        cast(workout_distance_difference_nm as double) / 1e9 as workout_distance_difference_m

    from weeks_beside_previous

)

select * from final
