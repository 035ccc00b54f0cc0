-- Every activity that the lake accepted, under any day, has one row in the fact. Returns the
-- activities whose counts differ.
with

accepted as (

    select distinct activity_id from {{ ref('int_strava_activities_by_day') }}

),

in_fact as (

    select
        activity_id,
        count(*) as row_count

    from {{ ref('fct__strava_activities') }}
    group by activity_id

)

select
    coalesce(accepted.activity_id, in_fact.activity_id) as activity_id,
    accepted.activity_id is not null as is_accepted,
    coalesce(in_fact.row_count, 0) as rows_in_fact

from accepted
full outer join in_fact on accepted.activity_id = in_fact.activity_id
where
    accepted.activity_id is null
    or in_fact.row_count is null
    or in_fact.row_count > 1
