-- The extraction counted the laps that it accepted from each file. The bridge has as many laps of
-- an activity as its newest file. Only the activities of the newest change are judged.
with

activities as (

    select * from {{ ref('int_runna_activities_latest') }}

),

changes as (

    select * from {{ ref('int_runna_activities_by_batch_date') }}

),

laps as (

    select * from {{ ref('bdg__activity_to_laps') }}

),

activities_changed as (

    select
        activity_id,
        batch_date,
        lap_count

    from activities
    where
        activity_id in (
            select changes.activity_id from changes
            where changes.change_number = (select max(newest.change_number) from changes as newest)
        )

),

laps_counted as (

    select
        activities_changed.activity_id,
        activities_changed.lap_count as laps_accepted,
        count(laps.surrogate_key) as laps_in_bridge

    from activities_changed
    left join laps
        on
            activities_changed.activity_id = laps.activity_id
            and activities_changed.batch_date = laps.batch_date
    group by
        activities_changed.activity_id,
        activities_changed.lap_count

)

select * from laps_counted
where laps_accepted <> laps_in_bridge
