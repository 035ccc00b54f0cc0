-- Every activity that the lake accepted, under any day, has one row in the fact. It is deleted if
-- its newest state is, on each day that has this state. Returns the activities that differ.
with

states as (

    select
        activity_id,
        deleted_at,
        state_at,
        max(state_at) over (partition by activity_id) as newest_state_at

    from {{ ref('int_strava_activities_by_day') }}

),

accepted as (

    select
        activity_id,
        count(
            case
                when state_at is not distinct from newest_state_at and deleted_at is null then 1
            end
        ) = 0 as is_deleted

    from states
    group by activity_id

),

in_fact as (

    select
        activity_id,
        count(*) as row_count,
        count(case when is_deleted then 1 end) > 0 as is_deleted

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
    or in_fact.is_deleted <> accepted.is_deleted
