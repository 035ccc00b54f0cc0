-- The steps that the dimension counts for its workouts are as many as the bridge holds.
with

counted as (

    select sum(step_count) as steps from {{ ref('dim__workouts') }}

),

in_bridge as (

    select count(*) as steps from {{ ref('bdg__workout_to_steps') }}

)

select
    counted.steps as steps_counted,
    in_bridge.steps as steps_in_bridge

from counted
cross join in_bridge
where coalesce(counted.steps, 0) <> in_bridge.steps
