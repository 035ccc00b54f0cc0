-- Every lap is judged once, and is in the sums per activity and per user, with the time for which
-- it was compared.
with

laps as (

    select count(*) as lap_count from {{ ref('bdg__activity_to_laps') }}

),

laps_judged as (

    select
        count(*) as lap_count,
        sum(compared_time_ms) as compared_time_ms

    from {{ ref('lap_pace_adherence') }}

),

activities as (

    select
        sum(lap_count) as lap_count,
        sum(compared_time_ms) as compared_time_ms

    from {{ ref('activity_pace_adherence') }}

),

users as (

    select
        sum(lap_count) as lap_count,
        sum(compared_time_ms) as compared_time_ms

    from {{ ref('user_pace_adherence') }}

),

side_by_side as (

    select
        laps.lap_count as laps_in_bridge,
        laps_judged.lap_count as laps_judged,
        coalesce(activities.lap_count, 0) as laps_of_activities,
        coalesce(users.lap_count, 0) as laps_of_users,
        coalesce(laps_judged.compared_time_ms, 0) as time_of_laps_ms,
        coalesce(activities.compared_time_ms, 0) as time_of_activities_ms,
        coalesce(users.compared_time_ms, 0) as time_of_users_ms

    from laps
    cross join laps_judged
    cross join activities
    cross join users

)

select * from side_by_side
where
    laps_in_bridge <> laps_judged
    or laps_judged <> laps_of_activities
    or laps_of_activities <> laps_of_users
    or time_of_laps_ms <> time_of_activities_ms
    or time_of_activities_ms <> time_of_users_ms
